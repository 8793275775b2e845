import { z } from 'zod';

/** Settings of the ways of telling people. */
export const channelSettings = {
  slack_client_id: z
    .string()
    .nullable()
    .default(null)
    .describe('Client id of the Slack app; `bgagent slack setup` says where it is found.'),
  slack_notify_channel: z
    .string()
    .regex(/^[TE][A-Z0-9]{1,30}\/[CGDU][A-Z0-9]{1,30}$/, 'must be `<team id>/<channel id>`')
    .nullable()
    .default(null)
    .describe('Slack channel that hears of tasks from elsewhere, as `T…/C…`; a repository may name another.'),
  slack_api_url: z
    .url()
    .default('https://slack.com/api/')
    .describe('Base of Slack’s Web API, with its last slash.'),
  smtp_url: z
    .url({ protocol: /^smtps?$/ })
    .nullable()
    .default(null)
    .describe(
      'Mail server, such as `smtps://mail.example.com:465`; user and password are the secrets SMTP_USER and SMTP_PASSWORD.',
    ),
  ses_region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be an AWS region, like eu-west-1')
    .nullable()
    .default(null)
    .describe('AWS region whose SES sends the mail, in place of a mail server.'),
  email_from: z.email().nullable().default(null).describe('Sender of mail.'),
  email_to: z
    .array(z.email())
    .default([])
    .describe('Who gets mail about every task; a repository may name others (`notifications.email.to`).'),
  delivery_attempts: z
    .number()
    .int()
    .min(1)
    .default(10)
    .describe('Failed attempts after which a message to a channel is given up; being told to wait is none.'),
};
