import type { AwsError } from './state.ts';

/** How AWS's protocols put things on the wire. */

export type Xml = string | number | boolean | undefined | Xml[] | { [name: string]: Xml };

/** Lists become `<member>` (Auto Scaling) or `<item>` (EC2). */
function toXml(value: Xml, element: 'member' | 'item'): string {
  if (value === undefined) return '';
  if (Array.isArray(value))
    return value.map((each) => `<${element}>${toXml(each, element)}</${element}>`).join('');
  if (typeof value === 'object')
    return Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => `<${name}>${toXml(inner, element)}</${name}>`)
      .join('');
  return String(value).replace(
    /[&<>]/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character] ?? '',
  );
}

export const ec2Answer = (action: string, value: Xml): string =>
  `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${toXml(value, 'item')}</${action}Response>`;

export const ec2Error = (error: AwsError): string =>
  `<Response><Errors><Error><Code>${error.name}</Code><Message>${toXml(error.message, 'item')}</Message></Error></Errors></Response>`;

export const groupAnswer = (action: string, value: Xml): string =>
  `<${action}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><${action}Result>${toXml(value, 'member')}</${action}Result></${action}Response>`;

export const groupError = (error: AwsError): string =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${error.name}</Code><Message>${toXml(error.message, 'member')}</Message></Error></ErrorResponse>`;

/** `Prefix.1`, `Prefix.2`, … of a form, with what follows. */
export function listOf(form: URLSearchParams, prefix: string, suffix = ''): string[] {
  const found: string[] = [];
  for (let at = 1; form.has(`${prefix}.${at}${suffix}`); at += 1)
    found.push(form.get(`${prefix}.${at}${suffix}`) ?? '');
  return found;
}
