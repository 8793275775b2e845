// Plain old JavaScript on purpose: this must run on any Node, to say plainly that it is too old.
const NEEDED = 24;

if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  process.stderr.write(
    `bgagent needs Node ${NEEDED} or newer; this is Node ${process.versions.node}.\n` +
      `Install Node ${NEEDED}. (On Linux, x64 and arm64, \`npm ci\` in a clone brings it: use \`npm test\`, \`npm run demo\`, \`npm run --silent bgagent -- <arguments>\`.)\n`,
  );
  process.exit(2);
}
