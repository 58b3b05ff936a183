#!/system/bin/sh
# Runs one launch of benchmark_model on a phone so that it outlives the adb session that began it.
# For mksh + toybox; any POSIX sh will do. mksh counts in 32 bits, so no milliseconds here. No path
# of the phone stands in this file.
#
#   sh run_bench.sh start DIR NOTE LIMIT_S [-m MASK] [-p] [-f] [-s STATE_SCRIPT] -- COMMAND...
#   sh run_bench.sh wait DIR SECONDS
#   sh run_bench.sh drop DIR
#   sh run_bench.sh clean FOLDER [KEEP]
#
# start  makes DIR and runs COMMAND detached, unless DIR has been started before: giving the same
#        order twice measures once. It prints "started", or what `wait` would print.
#        -m  pin to these cores (hexadecimal mask)        -p  sample the PSS instead of timing
#        -f  fixed-performance mode while COMMAND runs    -s  run before and after, for the state
# wait   prints "running", "gone" (begun, neither done nor running: rebooted or killed), "none", or
#        "done" and one line "SHA256  NAME" for each file that was left in DIR.
# drop   kills what runs in DIR and deletes it.
# clean  kills what was started below FOLDER and deletes FOLDER/jobs/*, but for FOLDER/jobs/KEEP.
#
# DIR then holds: note, pid, before, stdout, stderr, rc, seconds, pss, after, and what COMMAND wrote
# there; the marker `done` comes last, by a rename.

# The processes of a job are known by their working folder, the job's: a pid alone may be another's
# after a reboot, and reading environments needs a grep that older phones don't have.
alive() {
  [ -s "$1/pid" ] && [ "/proc/$(cat "$1/pid")/cwd" -ef "$1" ]
}

# Prints the pids of all processes that work in folder $1 or below it.
processes() {
  place=$(cd "$1" 2> /dev/null && pwd -P) || return
  ls -ld /proc/[0-9]*/cwd 2> /dev/null | while read -r line; do
    case ${line#* -> }/ in
      "$place"/* | "$place (deleted)/")
        line=${line%%/cwd -> *}
        printf '%s ' "${line##*/}"
        ;;
    esac
  done
}

# Kills every process of the jobs below folder $1, but for this one and those below folder $2. Looks
# again until there is none: one may have begun another meanwhile.
end_all() {
  pass=0 found=1
  while [ -n "$found" ] && [ "$pass" -lt 9 ]; do
    kept=" $$ " found=
    [ -n "$2" ] && kept="$kept$(processes "$2") "
    for process in $(processes "$1"); do
      case $kept in
        *" $process "*) ;;
        *) kill -9 "$process" 2> /dev/null && found=1 ;;
      esac
    done
    pass=$((pass + 1))
  done
}

unbound() {
  cmd power set-fixed-performance-mode-enabled false > /dev/null 2>&1
}

# Does what killed jobs in or below folder $1 could not do any more.
unbind_killed() {
  find "$1" -name fixed 2> /dev/null | while read -r mark; do
    [ -e "${mark%fixed}done" ] || unbound
  done
}

report() {
  if alive "$1" && [ ! -e "$1/done" ]; then
    echo running
  elif [ -e "$1/done" ]; then # looked at last: it may just have become so
    echo done
    cat "$1/done"
  elif [ -d "$1" ]; then
    end_all "$1"
    unbind_killed "$1"
    echo gone
  else
    echo none
  fi
}

start() {
  dir=$1 note=$2
  shift 2
  if [ -e "$dir/note" ]; then
    begun "$dir" 40
    report "$dir"
    return
  fi
  mkdir -p "$dir" && printf '%s' "$note" > "$dir/note" || return 1
  case $0 in /*) script=$0 ;; *) script=$PWD/$0 ;; esac
  set -- nohup sh "$script" run "$dir" "$@"
  command -v setsid > /dev/null && set -- setsid "$@"
  (cd "$dir" && exec "$@" < /dev/null > /dev/null 2>&1) &
  begun "$dir" 100
  echo started
}

# Waits until what `start` has begun in $1 says who it is, for $2 looks at most, 20 a second.
begun() {
  tries=0
  while [ ! -s "$1/pid" ] && [ "$tries" -lt "$2" ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
}

# The detached part: everything that has to happen whether or not anybody is listening.
run() {
  dir=$1 limit=$2 mask= pss= fixed= state=
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      -m) mask=$2; shift 2 ;;
      -p) pss=1; shift ;;
      -f) fixed=1; shift ;;
      -s) state=$2; shift 2 ;;
      --) shift; break ;;
      *) return 64 ;;
    esac
  done
  cd "$dir" || return 65
  echo $$ > pid
  trap 'end_all "$dir"; [ -n "$fixed" ] && unbound; exit 143' INT TERM
  if [ -n "$fixed" ]; then
    cmd power set-fixed-performance-mode-enabled true > fixed 2>&1 || echo refused >> fixed
    sleep 1
  fi
  [ -n "$state" ] && sh "$state" > before 2> /dev/null
  [ -n "$mask" ] && set -- taskset "$mask" "$@"
  began=$(date +%s)
  limited "$@"
  echo $? > rc
  echo $(($(date +%s) - began)) > seconds
  [ -n "$state" ] && sh "$state" > after 2> /dev/null
  [ -n "$fixed" ] && unbound
  seal
}

# Runs COMMAND for at most `limit` seconds; 124 when that ended it. Not by toybox's timeout, which
# loses the exit code of a command that ends at once, and would not let this shell heed a TERM.
limited() {
  "$@" > stdout 2> stderr < /dev/null &
  child=$!
  { sleep "$limit"; : > .late; kill "$child"; sleep 5; kill -9 "$child"; } > /dev/null 2>&1 &
  [ -n "$pss" ] && sample "$child" > pss
  wait "$child"
  code=$?
  end_all "$dir" # the time-out, and what COMMAND left behind
  [ -e .late ] && code=124
  return "$code"
}

# Prints the largest Pss (kB) in /proc/PID/smaps_rollup, looking every 50 ms until the process ends;
# -1 where the phone has no such file.
sample() {
  most=-1
  while kill -0 "$1" 2> /dev/null; do
    while read -r key value _; do
      if [ "$key" = Pss: ] && [ "$value" -gt "$most" ]; then most=$value; fi
    done 2> /dev/null < "/proc/$1/smaps_rollup"
    sleep 0.05
  done
  echo "$most"
}

seal() {
  for name in *; do
    case $name in
      pid | note | done*) ;;
      *)
        if [ -f "$name" ]; then
          sha256sum "$name" 2> /dev/null || echo "-  $name" || return
        fi
        ;;
    esac
  done > done.part && mv done.part done
}

await() {
  left=$(($2 * 5))
  while [ ! -e "$1/done" ] && [ "$left" -gt 0 ]; do
    if [ $((left % 5)) -eq 0 ]; then # seldom: each look takes time from what is measured
      alive "$1" || break
    fi
    sleep 0.2
    left=$((left - 1))
  done
  report "$1"
}

drop() {
  end_all "$1"
  unbind_killed "$1"
  rm -rf "$1"
}

clean() {
  end_all "$1/jobs" "${2:+$1/jobs/$2}"
  for job in "$1"/jobs/*; do
    if [ "$job" != "$1/jobs/$2" ]; then
      unbind_killed "$job"
      rm -rf "$job"
    fi
  done
}

verb=$1
shift
case $verb in
  start | run | drop | clean) "$verb" "$@" ;;
  wait) await "$@" ;;
  *) exit 64 ;;
esac
