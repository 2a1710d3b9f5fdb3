//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Two in three pages of a small installation are the program's own, and the loader reads every relocation at the
    // start. Packed they take a twentieth (DT_RELR, glibc 2.36; a linker that does not know it says so and goes on).
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
