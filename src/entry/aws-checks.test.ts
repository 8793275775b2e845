import { describe, expect, it } from 'vitest';
import { defaultSettings } from '../config/settings.ts';
import { inspectAws } from './aws-checks.ts';

const found = async () => ({});
const none = async () => {
  throw new Error('Could not load credentials from any providers');
};

describe('backends on AWS', () => {
  it('are not looked at when there is none', async () => {
    expect(await inspectAws(defaultSettings(), none)).toBeNull();
  });

  it('lack what their settings and the machine lack', async () => {
    const settings = { ...defaultSettings(), ec2_groups: { 't4g.large/spot': 'octo-spot' } };
    const inspection = await inspectAws(settings, none);
    expect(inspection?.backends).toEqual(['ec2']);
    expect(inspection?.problems.map(({ problem }) => problem)).toEqual([
      'payload_bucket is not set',
      'public_url is not set',
      'no credentials for AWS: Could not load credentials from any providers',
    ]);
  });

  it('lack nothing when all is there', async () => {
    const settings = {
      ...defaultSettings(),
      ecs_cluster: 'octo',
      payload_bucket: 'octo-payloads',
      public_url: 'https://bgagent.example.com',
    };
    expect(await inspectAws(settings, found)).toEqual({ backends: ['ecs'], problems: [] });
  });
});
