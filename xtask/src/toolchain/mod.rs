//! What builds the Wasm, set up without help: compilers and tools, found or made.
//!
//! Everything is pinned by the project's lock files, and kept in one folder for all clones of the
//! project on a machine.

mod apt;
mod cache;
mod compiler;
mod debian;
mod npm;
mod project;
mod python;
mod rust;
mod step;
mod tools;
mod wasm_target;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;
use std::thread;

use anyhow::{Result, anyhow, ensure};

use cache::Cache;
pub(crate) use cache::{put, remove};
pub(crate) use compiler::TARGET;
use npm::Packages;
use project::Project;
use rust::Rust;
use tools::Tools;
pub(crate) use wasm_target::folder as wasm_target_folder;

/// What builds the Wasm: compilers and tools, found or made.
pub struct Toolchain {
    cache: Cache,
    rust: Rust,
    tools: Tools,
    packages: Packages,
    paths: Paths,
}

/// Values of PATH.
struct Paths {
    /// With the npm packages' programs, a Node among them, first.
    node: OsString,
    /// With the Wasm compiler before these.
    wasm: OsString,
}

impl Toolchain {
    /// Finds the toolchain, and makes what is missing.
    ///
    /// # Errors
    /// Where something can be neither found nor made; the error says what a person can do.
    pub fn ensure() -> Result<Self> {
        let (project, cache) = (Project::here()?, Cache::open()?);
        let (rust, tools, packages) = match find(&project, &cache)? {
            (Some(rust), Some(tools), Some(packages)) => (rust, tools, packages),
            _ => install(&project, &cache)?,
        };
        wasm_target::prepare(&cache, &rust)?;
        eprintln!(
            "Toolchain: rustc {}, wasm-bindgen {}, worker-build {}",
            rust.version,
            project.locked("wasm-bindgen")?,
            project.locked("worker")?
        );
        let node = slice::from_ref(&packages.bin);
        let wasm: Vec<_> = rust.bin.iter().chain(node).cloned().collect();
        let paths = Paths { node: rust::path_with(node)?, wasm: rust::path_with(&wasm)? };
        Ok(Self { cache, rust, tools, packages, paths })
    }

    /// A `cargo` that can build and test with `--target wasm32-unknown-unknown`.
    #[must_use]
    pub fn cargo_wasm(&self) -> Command {
        let mut command = self.wasm_command(&self.rust.cargo());
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &self.tools.test_runner);
        command
    }

    /// A `worker-build` that uses this toolchain's programs.
    ///
    /// # Errors
    /// Where one of them is missing: worker-build would download another.
    pub fn worker_build(&self) -> Result<Command> {
        let mut command = self.wasm_command(&self.tools.worker_build);
        for (variable, program) in [
            ("WASM_BINDGEN_BIN", self.tools.wasm_bindgen.clone()),
            ("WASM_OPT_BIN", self.packages.bin.join("wasm-opt")),
            ("ESBUILD_BIN", self.packages.bin.join("esbuild")),
        ] {
            ensure!(
                program.is_file(),
                "there is no {}: delete {} and node_modules, and run this again",
                program.display(),
                self.cache.path("").display()
            );
            command.env(variable, program);
        }
        Ok(command)
    }

    /// A program of the npm packages, run with a Node that suits it.
    #[must_use]
    pub fn node_bin(&self, name: &str) -> Command {
        let mut command = Command::new(self.packages.bin.join(name));
        command.current_dir(crate::root()).env("PATH", &self.paths.node);
        command.env("WRANGLER_SEND_METRICS", "false");
        command
    }

    /// A Python that has PyJWT and Prometheus's reader of metrics, which only tests need.
    ///
    /// # Errors
    /// Where it can be neither found nor made; the error says what a person can do.
    pub fn python(&self) -> Result<PathBuf> {
        python::ensure(&self.cache, &python::SENDERS)
    }

    /// A Python that has Schemathesis, which only `api-test` needs.
    ///
    /// # Errors
    /// Where it can be neither found nor made; the error says what a person can do.
    pub fn schemathesis(&self) -> Result<PathBuf> {
        python::ensure(&self.cache, &python::API_TEST)
    }

    /// The Workers runtime itself, which wrangler starts behind a proxy.
    ///
    /// # Errors
    /// Where its package does not tell where it is.
    pub fn workerd(&self) -> Result<PathBuf> {
        let mut node = self.node_bin("node");
        step::read(node.args(["--print", "require('workerd').default"])).map(Into::into)
    }

    /// Names compiler, tools and settings that a bundle depends on.
    ///
    /// # Errors
    /// Where Cargo.toml or a lock file cannot be read.
    pub fn id(&self) -> Result<String> {
        let files = ["Cargo.toml", "package-lock.json"].map(project::text);
        let mut parts = vec![self.rust.id.clone()];
        for program in [&self.tools.wasm_bindgen, &self.tools.worker_build] {
            parts.push(program.display().to_string()); // with its version
        }
        for text in files {
            parts.push(text?);
        }
        Ok(cache::key(parts.iter().map(String::as_str)))
    }

    /// Keeps for other clones of the project, under `name`, the dependencies that a release build
    /// for Wasm compiled. `arguments` are those of its cargo command, without the target.
    ///
    /// # Errors
    /// Where they cannot be copied.
    pub fn keep_dependencies(&self, name: &str, arguments: &[&str]) -> Result<()> {
        let mut query = self.cargo_wasm();
        query.args(arguments).args(["--target", TARGET]);
        query.args(["--quiet", "--message-format=json"]);
        wasm_target::keep(&self.cache, &self.rust, name, &mut query)
    }

    fn wasm_command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(crate::root()).env("PATH", &self.paths.wasm);
        command.env("CARGO_TARGET_DIR", wasm_target::folder());
        if let Some(flags) = compiler::hide_folders() {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        }
        // As worker-build sets it, so that no command undoes another's compilation.
        command.env("WASM_BINDGEN_USE_JS_SYS", "1");
        self.rust.set_for(&mut command);
        command
    }
}

fn find(
    project: &Project,
    cache: &Cache,
) -> Result<(Option<Rust>, Option<Tools>, Option<Packages>)> {
    Ok((Rust::find(cache)?, Tools::find(project, cache)?, Packages::find(cache)?))
}

/// Makes what is missing, all at once: some of it waits for the network, some for the processor.
fn install(project: &Project, cache: &Cache) -> Result<(Rust, Tools, Packages)> {
    let _lock = cache.lock()?;
    cache.clear_staging();
    let (rust, tools, packages) = find(project, cache)?; // another process may have made them
    let (rust, tools, packages) = thread::scope(|scope| {
        let rust = scope.spawn(|| rust.map_or_else(|| Rust::install(cache), Ok));
        let tools = scope.spawn(|| tools.map_or_else(|| Tools::install(project, cache), Ok));
        let packages = packages.map_or_else(|| Packages::install(cache), Ok);
        (rust.join(), tools.join(), packages)
    });
    let finished = |_| anyhow!("a part of the setup panicked");
    Ok((rust.map_err(finished)??, tools.map_err(finished)??, packages?))
}
