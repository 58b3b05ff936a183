# How the phone is doing, raw, for the host to read (edgesr/device/phone.py). Runs before and after
# every round, so it is quick. For mksh with toybox or toolbox, and for dash. What is missing there
# is missing in the output: nothing here fails.
#
# usage: sh device_state.sh [busy SECONDS]
#   busy SECONDS   CPU counters twice, so far apart

sys=${EDGESR_ROOT:-}/sys
proc=${EDGESR_ROOT:-}/proc
exec 2>/dev/null

# prints $1 and the first line of file $2; builtins only, a fork costs more than the reading
line() {
  value=
  read -r value <"$2"
  [ -n "$value" ] && echo "$1 $value"
}

if [ "${1:-}" = busy ]; then # first: what follows is load of our own
  echo "== stat"
  line before "$proc/stat"
  sleep "${2:-1}" || sleep 1 # toolbox's sleep takes whole seconds only
  line after "$proc/stat"
fi

echo "== loadavg"
line load "$proc/loadavg"

echo "== cpufreq"
for folder in "$sys"/devices/system/cpu/cpu[0-9]*; do
  cpu=${folder##*/cpu}
  line "$cpu cur" "$folder/cpufreq/scaling_cur_freq"
  line "$cpu limit" "$folder/cpufreq/scaling_max_freq"
  line "$cpu max" "$folder/cpufreq/cpuinfo_max_freq"
done

echo "== thermal_zones"
for folder in "$sys"/class/thermal/thermal_zone*; do
  type=
  read -r type <"$folder/type"
  case $type in
  *[Cc][Pp][Uu]* | BIG | MID | LITTLE) line "$type" "$folder/temp" ;; # other zones can be slow
  esac
done

echo "== battery"
dumpsys battery
echo
echo "== thermalservice"
dumpsys thermalservice
echo
echo "== power"
dumpsys power | grep -e 'mWakefulness=' -e 'Display Power: state=' # the rest is long
echo
echo "== end"
exit 0
