# The steps of scripts/check and scripts/test: each is run, named and timed; all are run even if
# one fails, and the end says which did.
# shellcheck shell=bash

steps_failed=()
steps_log=$(mktemp)
trap 'rm -f "$steps_log"' EXIT

# step NAME COMMAND...
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n=== %s: %s\n' "$name" "$*"
    if "$@" 2>&1 | tee -a "$steps_log"; then
        printf '=== %s: ok, %d s\n' "$name" $((SECONDS - start))
    else
        printf '=== %s: FAILED, %d s\n' "$name" $((SECONDS - start))
        steps_failed+=("$name")
    fi
}

check_steps() {
    step "formatting" cargo fmt --check
    step "lints" cargo clippy --quiet --all-targets -- -D warnings
    # Only the library: a program of the same name would be written to the same page.
    step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --lib
    step "shell scripts" check_shell_scripts
    step "unit and property tests" cargo test --lib --bins
    step "documentation tests" cargo test --doc
    step "damaged input" cargo test --test fuzz
    [ ! -e tests/testcases.rs ] || step "testcases of the plugins" cargo test --test testcases
}

check_shell_scripts() {
    local scripts
    mapfile -t scripts < <(grep -rlE '^#!/usr/bin/env (bash|python3)' scripts examples .ci)
    local script bash_scripts=()
    for script in "${scripts[@]}"; do
        if head -n 1 "$script" | grep -q bash; then
            bash -n "$script" || return
            bash_scripts+=("$script")
        fi
    done
    if have shellcheck; then
        shellcheck -x "${bash_scripts[@]}"
    else
        echo "NOT DONE: shellcheck is not installed; the scripts' syntax was checked, no more"
    fi
}

# Prints how many tests there were, and ends the script with 1 if anything failed or was left out.
end_with_totals() {
    local passed failed ignored
    count() { sed -n "s/^test result: .* \([0-9]*\) $1;.*/\1/p" "$steps_log" | awk '{ sum += $1 } END { print sum + 0 }'; }
    passed=$(count passed) failed=$(count failed) ignored=$(count ignored)
    printf '\n%d tests passed, %d failed, %d were left out; %d min %d s in all\n' \
        "$passed" "$failed" "$ignored" $((SECONDS / 60)) $((SECONDS % 60))
    [ "$ignored" -eq 0 ] || steps_failed+=("tests left out")
    if [ ${#steps_failed[@]} -gt 0 ]; then
        printf 'FAILED: %s\n' "$(printf ', %s' "${steps_failed[@]}" | cut -c 3-)"
        exit 1
    fi
    echo "All is well"
}
