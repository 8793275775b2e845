import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { BgAgentError, messageOf } from '../../../task/errors.ts';

/** The Claude Agent SDK is an optional peer: its types apart, nothing may import it but by `loadSdk`. */
type ClaudeSdk = Pick<typeof import('@anthropic-ai/claude-agent-sdk'), 'query'>;

const PACKAGE = '@anthropic-ai/claude-agent-sdk';
/** The release that this program is tested with. */
const TESTED = '0.3.331';

const notInstalled = (cause: unknown): BgAgentError =>
  new BgAgentError(
    'AGENT_NOT_AVAILABLE',
    `the \`claude\` agent needs the Claude Agent SDK beside bgagent: npm install ${PACKAGE}@${TESTED}`,
    { cause },
  );

export async function loadSdk(): Promise<ClaudeSdk> {
  try {
    return await import('@anthropic-ai/claude-agent-sdk');
  } catch (error) {
    throw notInstalled(error);
  }
}

/** The program that the SDK brings for this machine, as the SDK itself would find it. Throws AGENT_NOT_AVAILABLE. */
export function claudeProgram(): string {
  const require = createRequire(import.meta.url);
  const { platform, arch } = process;
  const name = platform === 'win32' ? 'claude.exe' : 'claude';
  const variants =
    platform === 'linux' ? [`${platform}-${arch}`, `${platform}-${arch}-musl`] : [`${platform}-${arch}`];
  let failure: unknown;
  try {
    const fromSdk = createRequire(require.resolve(PACKAGE));
    for (const variant of isMusl() ? variants.toReversed() : variants)
      try {
        return fromSdk.resolve(`${PACKAGE}-${variant}/${name}`);
      } catch (error) {
        failure = error;
      }
  } catch (error) {
    throw notInstalled(error);
  }
  throw new BgAgentError(
    'AGENT_NOT_AVAILABLE',
    `the Claude Agent SDK has no program for ${platform}-${arch} here (${messageOf(failure)}); install it with its optional dependencies`,
  );
}

export const claudeFolder = (): string => dirname(claudeProgram());

/** Whether this machine's C library is musl: node says so by not naming glibc. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const report: unknown = process.report?.getReport();
  const header =
    typeof report === 'object' && report !== null && 'header' in report ? report.header : undefined;
  return !(typeof header === 'object' && header !== null && 'glibcVersionRuntime' in header);
}
