//! Where does the linker find `memory.x`? In this folder, whatever folder the build is started in.

fn main() {
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed=memory.x");
}
