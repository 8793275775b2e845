import { describe, expect, it } from 'vitest';
import { createNudges } from '../../nudges.ts';
import { createConversation } from './conversation.ts';

/** A conversation, what was said in it, and what became of its nudges. */
function begin() {
  const events: unknown[] = [];
  const nudges = createNudges({ reporter: { event: (type) => void events.push(type) } });
  const conversation = createConversation('Do it.', { nudges });
  const messages = conversation.messages[Symbol.asyncIterator]();
  const next = async () => (await messages.next()).value ?? undefined;
  const offer = (nudge_id: string): void => nudges.offer([{ nudge_id, message: `${nudge_id}?` }]);
  return { events, conversation, next, offer };
}

const RESULT = { type: 'result', subtype: 'success', is_error: false };
const echoOf = (message: { uuid?: string } | undefined) => ({
  type: 'user',
  isReplay: true,
  uuid: message?.uuid,
});

describe('what is said to Claude', () => {
  it('is the prompt, and nothing more once there is a result', async () => {
    const { conversation, next } = begin();
    expect(await next()).toMatchObject({
      message: { role: 'user', content: [{ type: 'text', text: 'Do it.' }] },
    });
    conversation.hear(RESULT);
    expect(await next()).toBeUndefined();
  });

  it('is a nudge, too, which counts as delivered when it is taken up, not when it is sent', async () => {
    const { conversation, next, offer, events } = begin();
    await next();
    offer('n1');
    const said = await next();
    expect(JSON.stringify(said?.message)).toContain('<message>\\nn1?\\n</message>');
    expect(events).toEqual([]);
    conversation.hear(echoOf(said));
    conversation.hear(echoOf(said));
    expect(events).toEqual(['nudge_delivered']);
    conversation.hear(RESULT);
    expect(await next()).toBeUndefined();
  });

  it('goes on after a result when a nudge came too late for that turn', async () => {
    const { conversation, next, offer, events } = begin();
    await next();
    offer('late');
    const said = await next();
    conversation.hear(RESULT);
    conversation.hear(echoOf(said));
    expect(events).toEqual(['nudge_delivered']);
    conversation.hear(RESULT);
    expect(await next()).toBeUndefined();
  });

  it('ends with an error, and leaves the nudge to whoever comes next', async () => {
    const { conversation, next, offer, events } = begin();
    await next();
    offer('late');
    await next();
    conversation.hear({ ...RESULT, is_error: true });
    expect(await next()).toBeUndefined();
    offer('later');
    expect(events).toEqual([]);
  });
});
