# What scripts/run-tests says at its end, from the log of its rooms: the slowest ten, the sum, what was skipped, and
# last what failed, each with its first message, so that the end of any log names it.

# The test that a line is about, without the mark before it and the number of its cases behind it.
function named(line, end) {
  line = substr(line, 1, end - 1)
  sub(/^[^ ]+ +Test /, "", line)
  sub(/ with [0-9]+ test cases?$/, "", line)
  return line
}
function seconds(line) {
  match(line, / after [0-9.]+ seconds/)
  return substr(line, RSTART + 7, RLENGTH - 15) + 0
}
# Keeps the ten slowest, the slowest first.
function timed(time, name,    i) {
  if (slow == 10 && time <= times[10]) return
  for (i = slow < 10 ? ++slow : 10; i > 1 && times[i - 1] < time; i--) {
    times[i] = times[i - 1]
    tests[i] = tests[i - 1]
  }
  times[i] = time
  tests[i] = name
}

/^== / { room = $2; here = 0; last = ""; next }
/^failed: / {
  # A room that fails without a failed test has crashed, or has not run at all.
  if (!here) { failed++; failures[failed] = room ": ended without a test that failed"; messages[failed] = last }
  next
}
/Fatal error|crashed|unexpected signal|^error: / { if (last == "") last = $0 }
# The comment of the issue in the line before.
said != "" && /^[^ ]+ / && !/^[^ ]+ +(Test|Suite) / {
  first[said] = first[said] "\n    " substr($0, index($0, " ") + 1)
  said = ""
  next
}
{ said = "" }
!/^[^ ]+ +Test / || / Test run with / { next }
/ started\.$/ { next }
match($0, / recorded an issue /) {
  message = substr($0, RSTART + RLENGTH)
  key = room SUBSEP named($0, RSTART)
  said = ""
  if (!(key in first)) { first[key] = message; said = key }
  next
}
match($0, / passed after /) {
  passed++
  name = named($0, RSTART)
  timed(seconds($0), name)
  next
}
match($0, / failed after /) {
  here = 1
  name = named($0, RSTART)
  timed(seconds($0), name)
  failures[++failed] = room ": " name
  messages[failed] = first[room, name]
  next
}
match($0, / skipped[.:]/) {
  why = substr($0, RSTART + 8)
  if (why == ".") why = ""
  skips[++skipped] = room ": " named($0, RSTART) why
}

END {
  print "Slowest ten tests:"
  for (i = 1; i <= slow; i++) printf "  %7.2f s  %s\n", times[i], tests[i]
  printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped
  if (skipped) print "\nSkipped for want of a sandbox or another part of the machine (with CI=true they fail):"
  for (i = 1; i <= skipped; i++) print "  " skips[i]
  if (failed) print "\nFailed:"
  for (i = 1; i <= failed; i++) print "  " failures[i] "\n    " (messages[i] == "" ? "(no message)" : messages[i])
}
