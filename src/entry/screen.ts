import type { Settings } from '../config/settings.ts';
import { createBedrockScreen } from '../policy/bedrock-screen.ts';
import { createRulesScreen } from '../policy/rules-screen.ts';
import type { Screen } from '../policy/screen.ts';
import { BgAgentError } from '../task/errors.ts';

/**
 * The screen that the settings ask for. With `bedrock`, the rules come first: what they block needs no call. Throws
 * VALIDATION_ERROR naming the setting that is missing.
 */
export function createScreen(
  settings: Pick<
    Settings,
    'screen' | 'guardrail_id' | 'guardrail_version' | 'guardrail_units_per_s' | 'bedrock_region'
  >,
): Screen {
  const rules = createRulesScreen();
  if (settings.screen === 'rules') return rules;
  const guardrail = createBedrockScreen({
    region: settings.bedrock_region,
    guardrailId: needed(settings, 'guardrail_id'),
    guardrailVersion: needed(settings, 'guardrail_version'),
    unitsPerSecond: settings.guardrail_units_per_s,
  });
  return {
    async check(text, context) {
      const verdict = await rules.check(text, context);
      return verdict.kind === 'blocked' ? verdict : guardrail.check(text, context);
    },
  };
}

function needed<Name extends 'guardrail_id' | 'guardrail_version'>(
  settings: Pick<Settings, Name>,
  name: Name,
): string {
  const value = settings[name];
  if (value === null)
    throw new BgAgentError('VALIDATION_ERROR', `${name}: must be set when screen is "bedrock"`, {
      field: name,
    });
  return value;
}
