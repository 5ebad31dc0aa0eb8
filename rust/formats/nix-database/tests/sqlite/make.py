# Makes a database by SQLite itself: orders as JSON on standard input, the file's name as the argument.
import json, os, signal, sqlite3, sys, time

orders = json.load(sys.stdin)
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute(f"pragma page_size = {orders['pageSize']}")
database.execute(f"pragma auto_vacuum = {orders['vacuum']}")
database.execute(f"pragma journal_mode = {orders['journal']}")
database.execute("pragma wal_autocheckpoint = 0")
database.executescript("""
create table if not exists ValidPaths (
    id               integer primary key autoincrement not null,
    path             text unique not null,
    hash             text not null, -- base16 representation
    registrationTime integer not null,
    deriver          text,
    narSize          integer,
    ultimate         integer, -- null implies "false"
    sigs             text -- space-separated
);
create table if not exists Refs (
    referrer  integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
);
create index if not exists IndexReferrer on Refs(referrer);
""")

def fill():
    database.execute("begin")
    names = "id, path, hash, registrationTime, deriver, narSize, ultimate, sigs"
    for row in orders["rows"]:
        values = [row["id"], row["path"], row["hash"], 1, row["deriver"], row["narSize"], None, row["sigs"]]
        database.execute(f"insert into ValidPaths ({names}) values (?, ?, ?, ?, ?, ?, ?, ?)", values)
    # As Nix did when content addresses came: rows that are older have no value there.
    if orders["ca"] or not orders["rows"]:
        database.execute("alter table ValidPaths add column ca text")
        for path, ca in orders["ca"].items():
            database.execute("update ValidPaths set ca = ? where path = ?", [ca, path])
    database.executemany("insert into Refs values (?, ?)", orders["refs"])
    # Texts of which no page holds a whole one, between the paths.
    for row in orders["rows"][:orders["long"]]:
        text = row["path"][:-1] + "-" + "x" * 5000
        database.execute(f"insert into ValidPaths ({names}) values (?, ?, ?, ?, ?, ?, ?, ?)", [row["id"] + 2, text, "", 1, None, 1, None, None])
    database.execute("commit")

# Paths that come and go, between those that stay.
def churn():
    database.execute("begin")
    names = "id, path, hash, registrationTime"
    for row in orders["rows"][:orders["churn"]]:
        gone = row["id"] + 1
        database.execute(f"insert into ValidPaths ({names}) values (?, ?, ?, ?)", [gone, row["path"] + "-gone", "", 1])
        database.executemany("insert into Refs values (?, ?)", [[gone, row["id"]], [gone, gone]])
    database.execute("commit")
    for table, column in ("Refs", "referrer"), ("ValidPaths", "id"):
        database.execute(f"delete from {table} where {column} in (select id from ValidPaths where path like '%-gone')")

fill()
churn()
# Pages that are free again, and places where rows were.
database.execute("create table Gone (a text)")
database.executemany("insert into Gone values (?)", [["x" * 900]] * 50)
database.execute("drop table Gone")

if orders["then"] == "uncommitted":
    # Changed pages go to the log before the transaction ends, and it never does.
    database.execute("pragma cache_size = 1")
    database.execute("begin")
    database.execute("update ValidPaths set narSize = 666, sigs = printf('%.*c', 900, 'x')")
    os.kill(os.getpid(), signal.SIGKILL)
if orders["then"] == "killed":
    # Nobody is there to bring the log into the database.
    os.kill(os.getpid(), signal.SIGKILL)
if orders["then"] == "writing":
    print("ready", flush=True)
    number = 1
    while True:
        time.sleep(0.003)
        number += 1
        database.execute("begin immediate")
        database.execute("update ValidPaths set narSize = ?", [number])
        database.execute("commit")
        if number % 7 == 0:
            database.execute("pragma wal_checkpoint(truncate)")
if orders["then"] == "adding":
    # Behind all others.
    database.execute("pragma synchronous = off")
    print("ready", flush=True)
    names = "path, hash, registrationTime"
    for number in range(60_000):
        time.sleep(0.001)
        database.execute(f"insert into ValidPaths ({names}) values (?, ?, ?)", [f"/nix/store/{'z' * 32}-{number}", "", 1])
database.close()
