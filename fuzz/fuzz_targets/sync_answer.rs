#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    novacula_fuzz::sync_answer(bytes);
});
