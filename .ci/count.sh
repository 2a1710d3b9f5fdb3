# shellcheck shell=bash
# Reads from a step's output how many tests passed and failed.

# count KIND RC LOG prints "PASSED FAILED". A check is one test. A suite says "N passed, N failed" in its last line or
# is counted by the result lines of its test programs; one that was started and gave no result is a failure, and so
# is a suite that failed without a failed test, or ran none.
count() {
  local kind=$1 rc=$2 log=$3 good=0 bad=0 last programs results
  if [[ $kind == check ]]; then
    ((rc == 0)) && echo 1 0 || echo 0 1
    return
  fi
  last=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1) || true
  if [[ $last =~ ^([[:alnum:]_-]+:\ )?([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
    good=${BASH_REMATCH[2]} bad=${BASH_REMATCH[3]}
  else
    read -r good bad results < <(awk '
      match($0, /test result: (ok|FAILED)\. [0-9]+ passed; [0-9]+ failed;/) {
        split(substr($0, RSTART, RLENGTH), word, " "); good += word[4]; bad += word[6]; results++
      }
      END { print good + 0, bad + 0, results + 0 }' "$log")
    programs=$(grep -cE '^ +(Running .*\(.*\)|Doc-tests )' "$log" || true)
    ((programs <= results)) || bad=$((bad + programs - results))
  fi
  ((rc == 0 || bad > 0)) || bad=1
  ((good + bad > 0)) || bad=1
  echo "$good" "$bad"
}
