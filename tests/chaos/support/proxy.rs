//! A proxy between a program and a database that loses connections when it is told to.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
    task::JoinSet,
};

/// How long a database must be silent until its answer is held to be complete.
const SILENCE: Duration = Duration::from_millis(30);

/// How long an answer that is to be lost may take. Some messages have none, and then the
/// connection is cut without.
const NO_ANSWER: Duration = Duration::from_millis(300);

/// In which direction bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer = 0,
    ToClient = 1,
}

/// What a cut connection loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The request: the database never sees it.
    Request,
    /// The answer: the database has done it, the client does not know.
    Answer,
}

/// What holds for all connections now.
#[derive(Debug, Clone, Copy, Default)]
struct Orders {
    cuts: u64,
    half_closes: [u64; 2],
    silences: [u64; 2],
    is_refusing: bool,
    delays: [Duration; 2],
}

/// Cuts the connection on which a client sends certain bytes.
#[derive(Debug)]
struct Trap {
    bytes: &'static [u8],
    /// So many times the bytes still pass.
    passes: u32,
    loss: Loss,
}

#[derive(Debug, Default)]
struct Control {
    orders: watch::Sender<Orders>,
    trap: Mutex<Option<Trap>>,
    sprung: watch::Sender<u64>,
}

/// A port that leads to a database. Dropping it cuts everything.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    control: Arc<Control>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Opens a port that leads to `target`.
    pub(crate) async fn open(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let control = Arc::new(Control::default());
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, target, Arc::clone(&control)));
        Self {
            address,
            control,
            _listening: listening,
        }
    }

    /// Cuts every connection that is open.
    pub(crate) fn cut(&self) {
        self.control.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Whether new connections are refused from now on.
    pub(crate) fn refuse(&self, is_refusing: bool) {
        let orders = &self.control.orders;
        orders.send_modify(|orders| orders.is_refusing = is_refusing);
    }

    /// Lets everything that goes this way take so much longer.
    pub(crate) fn delay(&self, way: Way, by: Duration) {
        let orders = &self.control.orders;
        orders.send_modify(|orders| orders.delays[way as usize] = by);
    }

    /// Ends every open connection this way; the other way stays open.
    pub(crate) fn half_close(&self, way: Way) {
        let orders = &self.control.orders;
        orders.send_modify(|orders| orders.half_closes[way as usize] += 1);
    }

    /// Lets nothing pass this way any more on every open connection, which stays open.
    pub(crate) fn fall_silent(&self, way: Way) {
        let orders = &self.control.orders;
        orders.send_modify(|orders| orders.silences[way as usize] += 1);
    }

    /// Cuts one connection: that on which a client sends `bytes`, after they have passed
    /// `passes` times. No bytes stand for anything that is sent.
    pub(crate) fn set_trap(&self, bytes: &'static [u8], passes: u32, loss: Loss) {
        *self.control.trap.lock() = Some(Trap {
            bytes,
            passes,
            loss,
        });
    }

    /// How many traps have cut a connection so far.
    pub(crate) fn sprung(&self) -> u64 {
        *self.control.sprung.borrow()
    }

    /// Waits until so many traps have cut a connection.
    pub(crate) async fn has_sprung(&self, times: u64) {
        let mut sprung = self.control.sprung.subscribe();
        sprung.wait_for(|now| *now >= times).await.unwrap();
    }
}

async fn listen(listener: TcpListener, target: SocketAddr, control: Arc<Control>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        if !control.orders.borrow().is_refusing {
            connections.spawn(connect(client, target, Arc::clone(&control)));
        }
    }
}

/// What both directions of a connection know.
struct Connection {
    control: Arc<Control>,
    /// The trap has sprung here.
    is_caught: AtomicBool,
    /// The answer to what was sent last is to be lost.
    loses_answer: AtomicBool,
    sent: Notify,
    lost: Notify,
}

async fn connect(client: TcpStream, target: SocketAddr, control: Arc<Control>) {
    let mut orders = control.orders.subscribe();
    let cuts = orders.borrow_and_update().cuts;
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    // Without, small messages would wait for each other.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    let connection = Connection {
        control,
        is_caught: AtomicBool::new(false),
        loses_answer: AtomicBool::new(false),
        sent: Notify::new(),
        lost: Notify::new(),
    };
    let both = async {
        tokio::join!(
            connection.pump(client_reads, server_writes, Way::ToServer),
            connection.pump(server_reads, client_writes, Way::ToClient),
        )
    };
    let lost = async {
        tokio::select! {
            () = connection.lost.notified() => {}
            () = connection.has_no_answer() => {}
        }
    };
    tokio::select! {
        _ = both => {}
        () = lost => {}
        _ = orders.wait_for(|now| now.cuts != cuts) => {}
    }
    // However it ended: as soon as one half of a caught connection is given up, the database or
    // the client closes the other one, and both directions may have ended before the loss is told.
    if connection.is_caught.load(SeqCst) {
        connection.control.sprung.send_modify(|n| *n += 1);
    }
}

impl Connection {
    async fn has_no_answer(&self) {
        self.sent.notified().await;
        tokio::time::sleep(NO_ANSWER).await;
    }

    async fn pump(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way) {
        let mut orders = self.control.orders.subscribe();
        let way_of = way as usize;
        let before = *orders.borrow_and_update();
        let mut buffer = vec![0; 64 * 1024];
        // The end of what was sent before, for bytes that came in two pieces.
        let mut tail = Vec::new();
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read.unwrap_or(0),
                _ = orders.wait_for(|now| now.half_closes[way_of] != before.half_closes[way_of]) => 0,
            };
            if orders.borrow().silences[way_of] != before.silences[way_of] {
                std::future::pending::<()>().await;
            }
            if read == 0 {
                drop(to.shutdown().await);
                return;
            }
            let bytes = &buffer[..read];
            let delay = orders.borrow().delays[way_of];
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            match way {
                Way::ToServer => match self.springs(&mut tail, bytes) {
                    Some(Loss::Request) => return self.lost.notify_one(),
                    Some(Loss::Answer) => {
                        self.loses_answer.store(true, SeqCst);
                        self.sent.notify_one();
                    }
                    None => {}
                },
                Way::ToClient if self.loses_answer.load(SeqCst) => {
                    while let Ok(Ok(1..)) =
                        tokio::time::timeout(SILENCE, from.read(&mut buffer)).await
                    {
                    }
                    return self.lost.notify_one();
                }
                Way::ToClient => {}
            }
            if to.write_all(bytes).await.is_err() {
                return;
            }
        }
    }

    /// Whether the trap springs at these bytes, and what is lost then.
    fn springs(&self, tail: &mut Vec<u8>, bytes: &[u8]) -> Option<Loss> {
        let mut set = self.control.trap.lock();
        let trap = set.as_mut()?;
        tail.extend_from_slice(bytes);
        let wanted = trap.bytes;
        // As they are, or as the digits that stand for them in the text of a statement.
        let digits: String = wanted.iter().map(|byte| format!("{byte:02x}")).collect();
        let has = |bytes: &[u8]| tail.windows(bytes.len()).any(|it| it == bytes);
        let has_come = wanted.is_empty() || has(wanted) || has(digits.as_bytes());
        if !has_come {
            let rest = tail.len().saturating_sub(digits.len());
            tail.drain(..rest);
            return None;
        }
        tail.clear();
        if trap.passes > 0 {
            trap.passes -= 1;
            return None;
        }
        self.is_caught.store(true, SeqCst);
        set.take().map(|trap| trap.loss)
    }
}
