# What the phone is, raw, for the host to read (edgesr/device/phone.py). For mksh with toybox or
# toolbox, and for dash. What is missing there is missing in the output: nothing here fails.
#
# usage: sh device_info.sh [FOLDER]
#   FOLDER   whose free space is asked for

sys=${EDGESR_ROOT:-}/sys
proc=${EDGESR_ROOT:-}/proc
exec 2>/dev/null

section() {
  echo
  echo "== $1"
}

section date # first: the host takes the time of this call
date +%s
section getprop
getprop
section cpufreq
for folder in "$sys"/devices/system/cpu/cpu[0-9]*; do
  value=
  read -r value <"$folder/cpufreq/cpuinfo_max_freq"
  echo "${folder##*/cpu} max $value"
done
section possible
cat "$sys/devices/system/cpu/possible"
section meminfo
cat "$proc/meminfo"
section cpuinfo
cat "$proc/cpuinfo"
section boot_id
cat "$proc/sys/kernel/random/boot_id"
section uptime
cat "$proc/uptime"
section df
[ -n "${1:-}" ] && df "$1"
section id
id
section toybox
toybox --version
section gles # last: SurfaceFlinger is slow to answer where the screen is busy
dumpsys SurfaceFlinger | grep 'GLES:'
section end
exit 0
