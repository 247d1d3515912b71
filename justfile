# What there is to do.
default:
    @just --list

# Everything that must pass before a push.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    cargo test
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps
    cargo deny check bans licenses sources

# Formats, and mends what clippy can mend.
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged

# All tests; `just test replay` runs those with `replay` in their name.
test *filter:
    cargo test {{ filter }}

# The documentation, opened in a browser.
doc:
    cargo doc --workspace --all-features --no-deps --open

# Measures a workload: `just bench W1 --store sqlite:/tmp/bench.db`.
bench *args="all":
    cargo run --release -p durable-bench -- {{ args }}

# The checkout example on http://127.0.0.1:3000.
example *args:
    cargo run -p axum-checkout -- {{ args }}

# Builds the dashboard into dashboard-ui/dist, which is committed. Needs Node 20.
ui:
    cd dashboard-ui && npm ci && npm run check && npm run build

# Everything about the dashboard, in a browser too.
check-ui:
    .ci/dashboard
