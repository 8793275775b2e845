import { z } from 'zod';

/** Settings of the backends on AWS. */
export const awsSettings = {
  aws_region: z.string().default('us-east-1').describe('AWS region of the backends there.'),
  aws_endpoint_url: z
    .url()
    .nullable()
    .default(null)
    .describe('Another server that speaks the APIs of AWS, such as an emulator.'),
  payload_bucket: z
    .string()
    .nullable()
    .default(null)
    .describe('S3 bucket through which sessions on AWS get what they start with.'),
  compute_fallbacks: z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be a name like any-aws'),
      z.array(z.string()).min(2),
    )
    .default({})
    .describe(
      'Backends made of others, by name: `{"any-aws": ["ec2", "ecs"]}` starts a session on the first that has room.',
    ),
  ecs_cluster: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('ECS cluster whose Fargate tasks sessions are; null = no such backend.'),
  ecs_task_definition: z
    .string()
    .default('bgagent-runner')
    .describe('Family of the task definition that runs the runner’s image.'),
  ecs_container: z.string().default('runner').describe('Name of the runner’s container in it.'),
  ecs_capacity: z
    .enum(['on-demand', 'spot', 'spot-then-on-demand'])
    .default('on-demand')
    .describe('What sessions on ECS run on: Fargate, Fargate Spot, or Fargate where there is no Spot.'),
  ecs_subnets: z.array(z.string()).default([]).describe('Subnets of sessions on ECS.'),
  ecs_security_groups: z
    .array(z.string())
    .default([])
    .describe(
      'Security groups of sessions on ECS: out by port 443 is all they need. None = that of the network.',
    ),
  ecs_assign_public_ip: z
    .boolean()
    .default(true)
    .describe('Whether sessions on ECS get a public address; without one their subnets need a NAT gateway.'),
  ecs_read_only_size: z
    .string()
    .regex(/^\d+\/\d+$/, 'must be <CPU units>/<MiB>, like 1024/2048')
    .nullable()
    .default('1024/2048')
    .describe('CPU units and MiB of sessions on ECS that change nothing; null = as in the task definition.'),
  ecs_poll_s: z
    .number()
    .min(1)
    .default(30)
    .describe('How often all sessions on ECS are looked at together, a hundred a call.'),
  agentcore_runtime_arn: z
    .string()
    .regex(/^arn:aws[a-z-]*:bedrock-agentcore:/, 'must be the ARN of an AgentCore runtime')
    .nullable()
    .default(null)
    .describe('Runtime of Amazon Bedrock AgentCore that has the runner’s image; null = no such backend.'),
  agentcore_qualifier: z.string().default('DEFAULT').describe('Endpoint of that runtime.'),
  agentcore_user_id: z
    .string()
    .min(1)
    .nullable()
    .default('bgagent')
    .describe(
      'User on whose behalf sessions on AgentCore run; null = nobody’s, which needs one permission less.',
    ),
  events_queue_url: z
    .url()
    .nullable()
    .default(null)
    .describe(
      'SQS queue that a rule of EventBridge fills with events of sessions and machines; null = they are only looked at now and then.',
    ),
  ec2_groups: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      'The EC2 fleet: Auto Scaling groups by `<instance type>/<spot or on-demand>`; the first type is that of repositories that name none. Empty = no such backend.',
    ),
  ec2_fleet: z
    .string()
    .default('bgagent')
    .describe('Value of the tag `bgagent:fleet` of the fleet’s instances.'),
  ec2_document_prefix: z
    .string()
    .default('bgagent')
    .describe('Documents of Systems Manager are `<prefix>-start`, `-stop` and `-boot-check`.'),
  ec2_image: z
    .string()
    .default('bgagent-runner:latest')
    .describe('Image of the runner on EC2; `{arch}` becomes `amd64` or `arm64` by instance type.'),
  ec2_warm_idle: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('Machines of each group that are kept running and idle.'),
  ec2_reuse: z
    .boolean()
    .default(false)
    .describe('Whether a machine serves one session after the other; else each gets a fresh one.'),
  ec2_idle_s: z
    .number()
    .min(0)
    .default(300)
    .describe('How long a machine beyond the warm ones may stay idle before it is ended.'),
  ec2_boot_s: z
    .number()
    .min(1)
    .default(900)
    .describe(
      'Longest time from a machine’s launch to its SSM agent, and again to the end of its boot check.',
    ),
  ec2_sweep_s: z
    .number()
    .min(0.05)
    .default(10)
    .describe('Pause between looks at the fleet while a task waits for a machine, or one boots or ends.'),
  ec2_watch_s: z.number().min(0.05).default(300).describe('How often a fleet at work is looked at.'),
};
