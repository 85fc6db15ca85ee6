//! What cargo knows of the packages.

use serde_json::Value;

use crate::shell::{Result, sh};

/// A package of the workspace or one that it depends on.
pub struct Package {
    pub name: String,
    pub version: String,
    pub rust_version: Option<String>,
    pub license: Option<String>,
    /// Whether it is for a registry at all.
    pub published: bool,
}

/// All packages of the lock file, with every feature.
pub fn packages() -> Result<Vec<Package>> {
    read("--all-features --locked")
}

/// The packages of the workspace.
pub fn workspace() -> Result<Vec<Package>> {
    read("--no-deps")
}

fn read(arguments: &str) -> Result<Vec<Package>> {
    let json = sh(&format!("cargo metadata --format-version 1 {arguments}")).read()?;
    let json: Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let packages = json["packages"].as_array().ok_or("cargo metadata: no packages")?;
    Ok(packages.iter().map(package).collect())
}

fn package(json: &Value) -> Package {
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        rust_version: text("rust_version"),
        license: text("license"),
        published: json["publish"].as_array().is_none_or(|to| !to.is_empty()),
    }
}
