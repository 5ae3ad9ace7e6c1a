# shellcheck shell=sh
# Keeps one host's file system, in a mount namespace of its own: nothing of it is ever mounted on the machine itself.
# Stays until whoever started it lets go or ends in whatever way (its end of the pipe closes), then ends every
# process of the host and removes what the host wrote. $1 the tree, $2 the host's folder, then its control groups.
tree=$1 folder=$2
shift 2

for group in "$@"; do mkdir "$group" || exit; done
mkdir "$folder" "$folder/written" "$folder/work" "$folder/root" || exit
mount -t overlay novacula-lab -o "lowerdir=$tree,upperdir=$folder/written,workdir=$folder/work" "$folder/root" 2>/dev/null ||
    cp -a --reflink=auto "$tree/." "$folder/root" || exit # no overlay on an overlay: inside some containers

echo "kept"
read -r _

processes() {
    for group in "$@"; do find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null; done | grep -vx 0 | sort -u
}
tries=0
while alive=$(processes "$@") && [ -n "$alive" ] && [ "$tries" -lt 200 ]; do
    # shellcheck disable=SC2086 # one word a process
    kill -KILL $alive 2>/dev/null
    tries=$((tries + 1))
    sleep 0.02
done
for group in "$@"; do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; done
umount "$folder/root" 2>/dev/null
rm -rf "$folder"
