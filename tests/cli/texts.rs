//! Texts that people read, word by word; `TRYCMD=overwrite cargo test --test cli texts` writes them anew.

#[test]
fn texts_are_as_they_were_written_down() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}
