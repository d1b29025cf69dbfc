#!/usr/bin/env bash
# Divides a job of dermagan over the tasks of a Slurm array, and joins the shards when all are there:
#   scripts/cluster/slurm.sh TASKS COMMAND ...
# such as
#   scripts/cluster/slurm.sh 32 sample shipped -n 1000000 --out million.zip --format zip
#
# Run it on the login node, in a folder that all nodes share. Its own options are variables:
#   DERMAGAN      the program (default: dermagan)
#   SHARDS        the folder of the shards (default: COMMAND.shards)
#   CPUS          CPUs of a task (default: 4)
#   AT_ONCE       tasks at a time (default: all)
#   SBATCH_ARGS   further options of sbatch, such as --partition=long --time=4:00:00 --mem=4G --gpus-per-task=1
#   RETRIES       how often a task that was stopped by a signal goes back into the queue (default: 3)
#   DERMAGAN_CPU  on nodes with different CPUs: a level that all of them have, such as avx2
#
# A task that goes back begins its shard anew, so choose as many tasks that one fits the time limit. Other failures end the task. The job
# that joins ends with the exit code of the command: an audit that fails or gives no verdict (6, 7) is shown as failed.
set -euo pipefail

if [ $# -lt 2 ]; then
    sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
fi
tasks=$1 command=$2
shift
[[ $tasks =~ ^[1-9][0-9]*$ && $tasks -le 10000 ]] || { echo "TASKS is '$tasks', expected 1 to 10000" >&2; exit 2; }
case $command in
    sample | balance | prepare | eval | audit) ;;
    *) echo "COMMAND is '$command', expected sample, balance, prepare, eval or audit" >&2; exit 2 ;;
esac
for word in "$@"; do
    case $word in --shard | --shard=* | --shards | --shards=*) echo "$word: leave it out; SHARDS names the folder" >&2; exit 2 ;; esac
done
dermagan=${DERMAGAN:-dermagan}
shards=${SHARDS:-$PWD/$command.shards}
# The words of the command, quoted for the script of the tasks.
printf -v line '%q ' "$@"
printf -v program '%q' "$dermagan"
printf -v folder '%q' "$shards"

job=$(mktemp "${TMPDIR:-/tmp}/dermagan-slurm.XXXXXX")
trap 'rm -f "$job"' EXIT
cat >"$job" <<EOF
#!/bin/bash
# Slurm sends TERM to this shell 120 s before the time limit (--signal=B:TERM@120), and to all on preemption. It passes it on.
export RAYON_NUM_THREADS=\${SLURM_CPUS_PER_TASK:-1}
$program $line --shard auto/$tasks --shards $folder &
child=\$!
trap 'kill -TERM \$child' TERM INT
wait \$child
code=\$?
# A signal ends the first wait before the program has ended.
while kill -0 \$child 2>/dev/null; do wait \$child; code=\$?; done
if [ \$code -gt 128 ] && [ "\${SLURM_RESTART_COUNT:-0}" -lt ${RETRIES:-3} ]; then
    scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
fi
exit \$code
EOF

# shellcheck disable=SC2086  # SBATCH_ARGS are several words.
array=$(sbatch --parsable --job-name="dermagan-$command" --array="0-$((tasks - 1))${AT_ONCE:+%$AT_ONCE}" \
    --cpus-per-task="${CPUS:-4}" --requeue --signal=B:TERM@120 --open-mode=append ${SBATCH_ARGS:-} "$job")
array=${array%%;*}
# shellcheck disable=SC2086
merge=$(sbatch --parsable --job-name="dermagan-merge" --dependency="afterok:$array" --kill-on-invalid-dep=yes --cpus-per-task="${CPUS:-4}" \
    ${SBATCH_ARGS:-} --wrap "$program merge $folder")
echo "array $array computes $tasks shards in $shards; job ${merge%%;*} joins them"
