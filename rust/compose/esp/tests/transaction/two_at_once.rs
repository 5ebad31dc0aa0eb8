//! Two installers at once: one waits, and finds its work done.

use std::sync::mpsc;
use std::time::Duration;

use crate::world::{desired, everything, folder, install, install_on, real};

#[test]
fn the_second_says_that_it_waits_and_waits() {
    let root = folder();
    let first = real(root.path());
    first.lock(|_| panic!("nobody else is here")).unwrap();
    let (send, receive) = mpsc::channel();
    let path = root.path().to_owned();
    let second = std::thread::spawn(move || {
        let fs = real(&path);
        fs.lock(|name| send.send(format!("waiting for {name}")).unwrap())
            .unwrap();
        send.send("locked".to_owned()).unwrap();
    });
    assert_eq!(
        receive.recv().unwrap(),
        format!("waiting for {}", root.path().display())
    );
    assert!(receive.recv_timeout(Duration::from_millis(200)).is_err());
    drop(first);
    assert_eq!(receive.recv().unwrap(), "locked");
    second.join().unwrap();
}

#[test]
fn many_at_once_leave_what_one_leaves() {
    let (root, alone) = (folder(), folder());
    let installers: Vec<_> = (0..8)
        .map(|_| {
            let path = root.path().to_owned();
            std::thread::spawn(move || {
                let fs = real(&path);
                fs.lock(|_| {}).unwrap();
                install(&fs, &desired(&[1, 2, 3], Some(3), "loader\n")).unwrap()
            })
        })
        .collect();
    let worked = installers.into_iter().map(|one| one.join().unwrap());
    assert_eq!(worked.filter(|worked| *worked).count(), 1);
    install_on(alone.path(), &desired(&[1, 2, 3], Some(3), "loader\n")).unwrap();
    assert_eq!(everything(root.path()), everything(alone.path()));
}
