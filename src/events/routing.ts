import type { Channel } from '../channels/channel.ts';
import type { NewDelivery } from '../stores/delivery-store.ts';
import type { TaskEvent } from '../task/events.ts';
import { type ChannelOverrides, type Notifications, notificationsSchema } from '../task/notifications.ts';
import type { RepoConfig } from '../task/repo.ts';
import type { Task } from '../task/task.ts';

/** Which channels hear of an event. Pure: what is read, is read by the caller at that moment. */

/** What was found odd about the overrides; a person should look, nothing is lost. */
export interface RoutingProblem {
  kind: 'muted' | 'unknown_event' | 'invalid';
  channel: string | null;
  detail: string;
}

export interface Routing {
  deliveries: NewDelivery[];
  problems: RoutingProblem[];
}

type About = { task: Task; repo: RepoConfig | undefined };
type Voice = Pick<Channel, 'name' | 'renders' | 'defaults' | 'wants'>;

/** The type that filters and renderers see: a milestone stands for itself where a channel can render it. */
export function effectiveType({ event_type, metadata }: TaskEvent, routable: ReadonlySet<string>): string {
  const { milestone } = metadata;
  if (event_type === 'agent_milestone' && typeof milestone === 'string' && routable.has(milestone))
    return milestone;
  return event_type;
}

export function route(event: TaskEvent, about: About, channels: readonly Voice[]): Routing {
  const problems: RoutingProblem[] = [];
  const deliveries = channels.flatMap((channel): NewDelivery[] => {
    const type = effectiveType(event, new Set(channel.renders));
    if (!channel.renders.includes(type)) return [];
    const { overrides, problem } = overridesFor(channel.name, about);
    if (problem) problems.push(problem);
    if (overrides.enabled === false || !channel.wants(about.task, overrides)) return [];
    const wanted = wantedTypes(channel, overrides, problems);
    return wanted.has(type) ? [{ channel: channel.name, event, type }] : [];
  });
  return { deliveries, problems };
}

/** What is said of one channel: the repository's word, and of the task's what it may decide. */
export function overridesFor(
  channel: string,
  { task, repo }: About,
): { overrides: ChannelOverrides; problem?: RoutingProblem } {
  const checked = notificationsSchema.safeParse(repo?.notifications ?? {});
  const ofRepo: Notifications = checked.success ? checked.data : {};
  const { enabled, events } = task.notifications?.[channel] ?? {};
  const overrides = {
    ...ofRepo[channel],
    ...(enabled === undefined ? {} : { enabled }),
    ...(events === undefined ? {} : { events }),
  };
  if (checked.success) return { overrides };
  const [issue] = checked.error.issues;
  const detail = `notifications of ${task.repo}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
  return { overrides, problem: { kind: 'invalid', channel: null, detail } };
}

function wantedTypes(
  { name, renders, defaults }: Voice,
  { events }: ChannelOverrides,
  problems: RoutingProblem[],
): ReadonlySet<string> {
  if (events === undefined) return new Set(defaults);
  if (events.length === 0)
    problems.push({ kind: 'muted', channel: name, detail: `an empty list of events mutes ${name}` });
  const unknown = events.filter((type) => type !== 'default' && !renders.includes(type));
  if (unknown.length > 0)
    problems.push({
      kind: 'unknown_event',
      channel: name,
      detail: `${name} has no message for ${unknown.join(', ')}`,
    });
  return new Set(events.flatMap((type) => (type === 'default' ? defaults : [type])));
}
