#!/system/bin/sh
# One edgesr at a time on a phone, also when two machines reach it (USB here, network there).
#
#   sh lock.sh take FOLDER HOLDER TOKEN STALE_S   prints "taken", or who holds it
#   sh lock.sh beat FOLDER HOLDER                 says that the holder is alive; prints "held", or who
#                                                 has taken it since
#   sh lock.sh drop FOLDER HOLDER                 gives it back, and deletes FOLDER if nothing is in it
#
# HOLDER is the machine's and user's: whoever has it has made sure that no other of its processes
# is alive. A holder that was silent for STALE_S seconds of the phone's clock has died; if it wakes
# up after all, it neither freshens nor drops the lock of whoever came after it.
lock=$2/lock

owner() {
  cat "$lock/owner" 2> /dev/null
}

case $1 in
  take)
    contested=
    mkdir -p "$2"
    if ! mkdir "$lock" 2> /dev/null; then
      [ -d "$lock" ] || mkdir -p "$lock" || exit 1 # says why
      contested=1
      [ -n "$(owner)" ] || sleep 1 # another is just taking it, or died while it did
    fi
    owner=$(owner)
    silent=$(($(date +%s) - $(stat -c %Y "$lock/owner" 2> /dev/null || echo 0)))
    case $owner in
      "" | "$3 "*) ;;
      *)
        if [ "$silent" -lt "$5" ]; then
          echo "$owner"
          exit 0
        fi
        ;;
    esac
    echo "$3 $4" > "$lock/owner.$$" && mv -f "$lock/owner.$$" "$lock/owner" || exit 1
    [ -n "$contested" ] && sleep 1 # another may have taken it in the same moment: the last one has it
    case $(owner) in
      "$3 $4") echo taken ;;
      *) owner ;;
    esac
    ;;
  beat)
    case $(owner) in
      "$3 "*) touch "$lock/owner" && echo held ;;
      *) owner ;;
    esac
    ;;
  drop)
    case $(owner) in
      "$3 "*) rm -rf "$lock" ;;
    esac
    rmdir "$2" 2> /dev/null
    exit 0
    ;;
  *) exit 64 ;;
esac
