#!/usr/bin/env bash
# A Slurm of one node for the test of sweeps: Debian's, installed and started where that is allowed; else the test is
# skipped with its reason. It leaves alone a Slurm that is there.
set -euo pipefail
if command -v sinfo >/dev/null && timeout 10 sinfo >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "no Slurm and no right to install one: its test will be skipped" >&2
  exit 0
fi
if ! command -v slurmctld >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
fi
if [ -e /etc/slurm/slurm.conf ] && ! grep -q "^# isoloss test" /etc/slurm/slurm.conf; then
  echo "there is a slurm.conf of somebody else: the test of Slurm will be skipped" >&2
  exit 0
fi
name=$(hostname)
cat >/etc/slurm/slurm.conf <<CONF
# isoloss test
ClusterName=one
SlurmctldHost=$name(127.0.0.1)
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/var/spool/slurmd
StateSaveLocation=/var/spool/slurmctld
SlurmUser=root
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=$name NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=$name Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p /var/spool/slurmd /var/spool/slurmctld /run/munge
chown munge: /run/munge
runuser -u munge -- munged 2>/dev/null || true
slurmctld
slurmd
for _ in $(seq 30); do
  if sinfo --noheader --format=%t 2>/dev/null | grep -qE "idle|mix"; then exit 0; fi
  sleep 1
done
echo "the Slurm that was started has no node that works: its test will be skipped" >&2
