import { CONFIDENCES, type Confidence, type Screen } from './screen.ts';

/** The name of the one filter that these rules are. */
const FILTER = 'PROMPT_ATTACK';

/** Confidence from which a text is blocked. */
const BLOCKS_FROM: Confidence = 'MEDIUM';

interface Rule {
  confidence: Confidence;
  /** Matches plain text: lower case, single spaces, no quotes, accents or look-alike letters. Gaps are bounded, so no text is slow. */
  pattern: RegExp;
}

const ORDERS = '(?:instructions?|prompts?|guidelines|directives?|directions)';
const OWN_ORDERS = `(?:${ORDERS}|rules|polic(?:y|ies)|restrictions?|programming|training|constraints|safeguards)`;
const PRIVATE =
  '(?:\\.ssh\\b|id_(?:rsa|ed25519)|\\.aws/credentials|/etc/shadow|/proc/self/environ|(?:all|any|every|your)(?: of)?(?: the| your)? (?:environment variables?|secrets?|credentials|private keys?|api keys?|tokens?))';

/**
 * Texts that speak to the agent against its orders. Developers write about prompts, sandboxes, secrets and skipped checks
 * all day, so a rule wants the combination that ordinary work doesn't need (mostly: "your" rules, "previous" instructions).
 */
const RULES: readonly Rule[] = [
  // Set the orders aside.
  high(
    `\\b(?:ignore|disregard|forget|override|discard)\\b (?:(?:all|any|every|of|the|your|my|our|these|those) ){0,5}(?:previous|prior|earlier|preceding|above|foregoing)(?:ly given)? (?:\\w+ ){0,2}?${ORDERS}\\b`,
  ),
  high(`\\b(?:ignore|disregard|forget)\\b (?:all|every|any)(?: of)?(?: the| your)? ${ORDERS}\\b`),
  high(`\\b(?:ignore|disregard|forget)\\b (?:(?:all|any|of|the) ){0,3}${ORDERS} (?:above|before this)\\b`),
  high(
    `\\b(?:ignore|disregard|forget|violate|break|override|bypass)\\b (?:(?:all|any|every|of) ){0,3}your (?:\\w+ ){0,2}${OWN_ORDERS}\\b`,
  ),
  high(
    '\\b(?:ignore|disregard|forget)\\b (?:everything|anything|all)(?: that| which)? (?:you (?:know\\b|(?:were|have been|had been) (?:told|taught|given|instructed))|(?:written |said )?(?:above|before this)\\b)',
  ),
  high('\\bignorier\\w* (?:\\w+ ){0,3}(?:vorherigen|bisherigen|vorigen|obigen) (?:\\w+ )?anweisungen'),
  high('\\bignor(?:a|e|ar) (?:\\w+ ){0,3}instruc(?:ciones|oes) (?:\\w+ )?(?:anterior|previ)'),
  high('\\bignor(?:e|ez|er) (?:\\w+ ){0,3}instructions (?:precedentes|anterieures)'),
  high('忽略.{0,6}(?:之前|以上|先前|前面).{0,6}(?:指令|指示|提示)'),
  // Become something that has none.
  high('\\bdo anything now\\b'),
  high('\\b(?:dan|god|jailbreak|unrestricted|sudo) mode\\b.{0,20}\\b(?:enabled|activated|on)\\b'),
  high(
    '\\byou are (?:now |no longer |from now on ){1,2}.{0,40}\\b(?:jailbroken|unrestricted|unfiltered|uncensored|bound by|an? ai (?:without|with no))\\b',
  ),
  medium('\\byou are (?:now )?in (?:developer|admin|debug|maintenance|god|root) mode\\b'),
  medium(
    '\\b(?:pretend|act|behave|respond|answer|imagine|roleplay|role-play)\\b.{0,20}\\b(?:you|an? (?:ai|assistant|model|agent))\\b.{0,40}\\b(?:no|without|free of|not bound by)\\b (?:any |your )?(?:\\w+ )?(?:restrictions?|rules|limits|limitations|filters?|guidelines|guardrails|ethic\\w*|moral\\w*)\\b',
  ),
  medium('\\bfrom now on,? you\\b.{0,30}\\b(?:obey|only follow|follow only|answer only|respond only)\\b'),
  // Give the hidden text away.
  high(
    `\\b(?:reveal|print|show|repeat|output|display|leak|tell me|give me|disclose|recite|dump)\\b (?:\\w+ ){0,4}?your (?:\\w+ ){0,3}?${ORDERS}\\b`,
  ),
  medium(`\\bwhat (?:is|are|was|were) your (?:system|initial|original|hidden|secret) (?:\\w+ )?${ORDERS}\\b`),
  medium('\\brepeat (?:everything|(?:all(?: of)? )?the (?:text|words)) (?:above|before this)\\b'),
  // Speak with someone else's voice.
  medium('<\\|im_start\\|> ?(?:system|assistant)\\b.{0,20}\\b(?:you|ignore|new|override)\\b'),
  medium('\\[inst\\].{0,20}<<sys>>'),
  medium('</?(?:system|system_prompt|system-prompt)> ?(?:you (?:are|must)|ignore|new)\\b'),
  medium(
    `\\b(?:here (?:are|is)|these are|this is|follow|obey)\\b.{0,12}\\byour (?:new|real|true|actual) (?:${ORDERS}|orders?|rules|objective)\\b`,
  ),
  medium('\\bnew system (?:prompt|instructions?) ?:'),
  medium(
    '\\b(?:i am|this is|message from) (?:your (?:developer|creator|maker)|anthropic|openai)\\b.{0,60}\\b(?:override|must (?:comply|obey)|ignore your|you are (?:allowed|authori[sz]ed))\\b',
  ),
  // Hide from people.
  medium(
    '\\bwithout (?:the |any )?(?:reviewers?|maintainers?|humans?|anyone|owners?) (?:noticing|knowing)\\b',
  ),
  medium(
    '\\b(?:hide|conceal) (?:this|these|the) (?:instructions?|request|prompt) from (?:the |any )?(?:reviewers?|users?|maintainers?|humans?|owners?)\\b',
  ),
  // Carry secrets out.
  medium(
    `\\b(?:read|cat|dump|print|collect|gather|find|copy|steal|grab|take|encode)\\b.{0,60}${PRIVATE}.{0,80}\\b(?:send|post|upload|curl|wget|transmit|exfiltrate|e-?mail|forward|paste)\\b.{0,60}(?:https?://|\\bto (?:me|my|this|an? (?:external|remote))\\b|\\bwebhook\\b)`,
  ),
  medium(
    `\\b(?:send|post|upload|transmit|exfiltrate|e-?mail|forward)\\b.{0,40}${PRIVATE}.{0,60}(?:https?://|\\bto (?:me|my|this (?:url|address|server)|an? (?:external|remote))\\b)`,
  ),
  // Orders in disguise.
  medium(
    '\\b(?:decode|decrypt|deobfuscate|unscramble)\\b.{0,80}\\b(?:follow|obey|do)\\b (?:it\\b|them\\b|what it says|the (?:decoded|hidden|resulting) (?:instructions?|text|commands?))',
  ),
  // Words of the trade: worth a rating, no reason to block.
  low('\\bjailbreak'),
  low('\\bsystem prompt\\b'),
  low('\\bnew instructions? ?:'),
  low(
    '\\b(?:bypass|disable|circumvent|turn off)\\b (?:\\w+ ){0,3}(?:guardrails?|safety|filters?|sandbox)\\b',
  ),
];

/** A screen by rules that needs no network. It is a sieve for the plain cases, not a proof: the sandbox is the wall. */
export function createRulesScreen(): Screen {
  return {
    async check(text) {
      const confidence = rate(text);
      if (confidence === null || CONFIDENCES.indexOf(confidence) < CONFIDENCES.indexOf(BLOCKS_FROM))
        return { kind: 'pass' };
      return { kind: 'blocked', filter: FILTER, confidence };
    },
  };
}

/** The highest confidence of the rules that match; null when none does. */
export function rate(text: string): Confidence | null {
  const plain = toPlain(text);
  for (const confidence of CONFIDENCES.toReversed())
    if (RULES.some((rule) => rule.confidence === confidence && rule.pattern.test(plain))) return confidence;
  return null;
}

/** Cyrillic and Greek letters that look like Latin ones. */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  а: 'a',
  е: 'e',
  о: 'o',
  р: 'p',
  с: 'c',
  у: 'y',
  х: 'x',
  і: 'i',
  ѕ: 's',
  ј: 'j',
  ԁ: 'd',
  һ: 'h',
  ԛ: 'q',
  ԝ: 'w',
  ο: 'o',
  α: 'a',
  ε: 'e',
  ρ: 'p',
  υ: 'u',
  χ: 'x',
  κ: 'k',
  ν: 'v',
  ι: 'i',
  τ: 't',
};

function toPlain(text: string): string {
  return (
    text
      .normalize('NFKD')
      .toLowerCase()
      // Accents, soft hyphens and characters without width.
      .replace(/[\p{M}\p{Cf}]/gu, '')
      .replace(/[\u0370-\u052f]/g, (letter) => LOOK_ALIKES[letter] ?? letter)
      .replace(/["'`*~“”‘’«»]|(?<![a-z0-9])_+|_+(?![a-z0-9])/g, '')
      // Letters set apart: i g n o r e
      .replace(/(?<![a-z])(?:[a-z][ .-]){2,}[a-z](?![a-z])/g, (spaced) => spaced.replace(/[ .-]/g, ''))
      .replace(/\s+/g, ' ')
  );
}

function high(source: string): Rule {
  return { confidence: 'HIGH', pattern: new RegExp(source) };
}
function medium(source: string): Rule {
  return { confidence: 'MEDIUM', pattern: new RegExp(source) };
}
function low(source: string): Rule {
  return { confidence: 'LOW', pattern: new RegExp(source) };
}
