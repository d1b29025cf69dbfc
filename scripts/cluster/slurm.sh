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
#   SBATCH_ARGS   further options of sbatch, such as --partition=long --time=4:00:00 --gpus-per-task=1
#
# A task that is stopped (exit code 130, or a signal when a node is lost) is put back into the queue, up to RETRIES times (default
# 3). Exit codes 2 to 4 are errors that another try would repeat: the task fails.
set -euo pipefail

if [ $# -lt 2 ]; then
    sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//' >&2
    exit 2
fi
tasks=$1 command=$2
shift
[[ $tasks =~ ^[1-9][0-9]*$ ]] || { echo "TASKS is '$tasks', expected a number" >&2; exit 2; }
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
# Slurm sends TERM to this shell 120 s before the time limit (--signal=B:TERM@120), and to all on preemption. The program then stops by itself.
export RAYON_NUM_THREADS=\${SLURM_CPUS_PER_TASK:-1}
$program $line --shard auto/$tasks --shards $folder &
child=\$!
trap 'kill -TERM \$child' TERM INT
wait \$child
code=\$?
# A signal ends the first wait before the program has ended.
while kill -0 \$child 2>/dev/null; do wait \$child; code=\$?; done
if { [ \$code = 130 ] || [ \$code -gt 128 ]; } && [ "\${SLURM_RESTART_COUNT:-0}" -lt ${RETRIES:-3} ]; then
    scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
fi
exit \$code
EOF

# shellcheck disable=SC2086  # SBATCH_ARGS are several words.
array=$(sbatch --parsable --job-name="dermagan-$command" --array="0-$((tasks - 1))${AT_ONCE:+%$AT_ONCE}" \
    --cpus-per-task="${CPUS:-4}" --requeue --signal=B:TERM@120 --open-mode=append ${SBATCH_ARGS:-} "$job")
array=${array%%;*}
# shellcheck disable=SC2086
merge=$(sbatch --parsable --job-name="dermagan-merge" --dependency="afterok:$array" --cpus-per-task="${CPUS:-4}" \
    ${SBATCH_ARGS:-} --wrap "$program merge $folder")
echo "array $array computes $tasks shards in $shards; job ${merge%%;*} joins them"
