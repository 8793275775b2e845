import { BgAgentError } from '../task/errors.ts';

/** What a model may be called on Bedrock. No `*`, `?` or `$`: in a policy they would stand for other models, too. */
const MODEL = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,399}$/;
const MODEL_ARN =
  /^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:(\d{12})?:(foundation-model|inference-profile|application-inference-profile|provisioned-model|custom-model|imported-model)\//;
/** A system's profile: the group of regions that it goes to, before the model's own id. */
const PROFILE = /^[a-z]{2,6}(?:-gov)?\.(?=[a-z0-9-]+\.)/;

interface Statement {
  Effect: 'Allow';
  Action: string[];
  Resource: string[];
  Condition?: { StringEquals: { 'bedrock:InferenceProfileArn': string[] } };
}

export interface SessionPolicy {
  Version: '2012-10-17';
  Statement: Statement[];
}

/**
 * What is left of a role's rights for one task: to call its models, and to count for them. A profile calls its model in
 * whichever region has room, so that is allowed with it. Throws VALIDATION_ERROR for a name that is none of Bedrock's.
 */
export function sessionPolicy(
  models: readonly string[],
  { roleArn, region }: { roleArn: string; region: string },
): SessionPolicy {
  const [, partition = 'aws', , , account = ''] = roleArn.split(':');
  const foundation = (id: string): string => `arn:${partition}:bedrock:*::foundation-model/${id}`;
  const direct = new Set<string>();
  const profiles = new Set<string>();
  for (const model of models) {
    if (!MODEL.test(model) || (model.startsWith('arn:') && !MODEL_ARN.test(model)))
      throw new BgAgentError(
        'VALIDATION_ERROR',
        `model_id: ${JSON.stringify(model.slice(0, 100))} is not the id or ARN of a model on Bedrock`,
        { field: 'model_id' },
      );
    direct.add(model.startsWith('arn:') ? model : foundation(model.replace(PROFILE, '')));
    if (/^arn:.*:(application-)?inference-profile\//.test(model)) profiles.add(model);
    else if (PROFILE.test(model))
      direct.add(`arn:${partition}:bedrock:${region}:${account}:inference-profile/${model}`);
  }
  const Action = ['bedrock:InvokeModel*', 'bedrock:CountTokens'];
  const statements: Statement[] = [{ Effect: 'Allow', Action, Resource: [...direct] }];
  // Which model is behind a profile of one's own, only Bedrock knows.
  if (profiles.size > 0)
    statements.push({
      Effect: 'Allow',
      Action,
      Resource: [foundation('*'), `arn:${partition}:bedrock:*:*:inference-profile/*`],
      Condition: { StringEquals: { 'bedrock:InferenceProfileArn': [...profiles] } },
    });
  return { Version: '2012-10-17', Statement: statements };
}
