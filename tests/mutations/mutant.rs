//! Mutations that can be had again: a seed, dice and ways to spoil bytes.

use std::env;
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::thread;

/// Unless `NOVACULA_SEED` says otherwise: the same mutations at every run, so that a red test stays red.
const SEED: u64 = 20_261_121;

/// Random numbers that the seed decides.
pub struct Dice(u64);

impl Dice {
    /// Dice for one test, and the seed told, so that a failure can be had again.
    pub fn thrown(test: &str) -> Self {
        let seed = env::var("NOVACULA_SEED").ok().map_or(SEED, |seed| seed.parse().expect("a number"));
        println!("{test}: NOVACULA_SEED={seed}");
        let mut hasher = DefaultHasher::new();
        (seed, test).hash(&mut hasher);
        Self(hasher.finish())
    }

    // SplitMix64.
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.throw() % bound.max(1) as u64).expect("it is below a usize")
    }
}

/// What has a meaning somewhere: ends of lines and strings, escapes, numbers at the edge, words of the protocol.
const TELLING: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\0",
    b"\x1b[31m",
    b"\"",
    b"\\u0000",
    b"\\",
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b" ",
    b"=",
    b"0",
    b"-1",
    b"1e999",
    b"4294967296",
    b"18446744073709551615",
    b"18446744073709551616",
    b"null",
    b"true",
    b"+evil",
    b"-rc.1",
    b"../",
    b"http://",
    b"file:///",
    b"@evil.org",
    b"\"kind\":\"operator\",",
    b"downgrade",
    b"rollback",
    b"RW",
    b"RU",
    b"trusted comment: ",
    b"\xe2\x80\xae",
    b"\xff",
    b"2.0.0",
    b"9999-12-31T23:59:59Z",
    b"#",
];

/// One to four spoilt places.
pub fn mutated(original: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=dice.below(4) {
        spoil(&mut bytes, dice);
    }
    bytes
}

fn spoil(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + 1 + dice.below(40)).min(bytes.len());
    match dice.below(8) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        2 if at < bytes.len() => bytes[at] = dice.throw().to_le_bytes()[0],
        3 => drop(bytes.drain(at..end)),
        4 => {
            let twice = bytes[at..end].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, twice);
        }
        5 if dice.below(8) == 0 => bytes.truncate(at),
        6 if at < bytes.len() => {
            let other = dice.below(bytes.len());
            bytes.swap(at, other);
        }
        _ => {
            let word = TELLING[dice.below(TELLING.len())];
            let end = if dice.below(2) == 0 { at } else { (at + word.len()).min(bytes.len()) };
            bytes.splice(at..end, word.iter().copied());
        }
    }
}

/// Tells which bytes broke a promise, if they did.
pub struct Told<'a>(String, &'a [u8]);

impl<'a> Told<'a> {
    /// Keeps them until the property has looked at them.
    pub fn new(name: impl Display, bytes: &'a [u8]) -> Self {
        Self(name.to_string(), bytes)
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("broken by {}: {}", self.0, self.1.escape_ascii());
        }
    }
}
