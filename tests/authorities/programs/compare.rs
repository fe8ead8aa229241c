// Cargo's order of versions: that of the crate "semver" without build metadata, which no requirement looks at.
use semver::Version;
use std::io::BufRead;

fn main() {
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (left, right) = line.split_once('\t').unwrap();
        match (Version::parse(left), Version::parse(right)) {
            (Ok(left), Ok(right)) => println!("{}", ["<", "=", ">"][(left.cmp_precedence(&right) as i8 + 1) as usize]),
            _ => println!("!"),
        }
    }
}
