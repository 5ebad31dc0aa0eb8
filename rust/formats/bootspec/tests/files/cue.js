// Runs CUE, a Go program in WebAssembly, once for each line of arguments; prints what came of each as one JSON list.
//   node cue.js PACKAGE < [["vet", …], …]
"use strict";
const fs = require("fs");
const path = require("path");
const folder = process.argv[2];
const runs = JSON.parse(fs.readFileSync(0, "utf8"));
let said = "";
const write = fs.writeSync;
// The program writes its output through the global `fs`.
globalThis.fs = new Proxy(fs, {
  get: (target, name) => {
    const take = (file, bytes) => (said += Buffer.from(bytes).toString(), bytes.length);
    if (name === "writeSync") return (file, bytes) => (file <= 2 ? take(file, bytes) : write(file, bytes));
    if (name === "write") {
      return (file, bytes, offset, length, position, done) =>
        file <= 2 ? done(null, take(file, bytes)) : target.write(file, bytes, offset, length, position, done);
    }
    return target[name];
  },
});
globalThis.require = require;
require(path.join(folder, "build/wasm_exec.js"));
(async () => {
  const module = await WebAssembly.compile(fs.readFileSync(path.join(folder, "build/cue.wasm")));
  const results = [];
  for (const run of runs) {
    const go = new Go();
    let status = -1;
    said = "";
    go.argv = ["cue", ...run];
    go.env = { HOME: "/tmp" };
    go.exit = (code) => (status = code);
    await go.run(await WebAssembly.instantiate(module, go.importObject));
    results.push({ status, said });
  }
  process.stdout.write(JSON.stringify(results));
})();
