//! A derivation's builder: writes down what it sees of the machine from inside the sandbox.
fn main() {
    let output = std::env::var("out").expect("Nix names the output");
    let seen = |path: &str| std::path::Path::new(path).exists();
    let interfaces = std::fs::read_to_string("/proc/net/dev").unwrap_or_default().lines().count().saturating_sub(2);
    let text = format!(
        "pid={} shell={} usr={} interfaces={interfaces}\n",
        std::process::id(),
        seen("/bin/sh"),
        seen("/usr"),
    );
    std::fs::write(output, text).expect("the output can be written");
}
