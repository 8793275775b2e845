/** What the demo asks for when nothing else is asked. */
export const DEMO_TASK = 'Add a CONTRIBUTORS.md listing everyone who committed';

/** The demo's agent: a fixed command, so that no model and no account is needed to see the platform work. */
export const DEMO_COMMAND = `
set -e
echo "Reading the history: $(git rev-list --count HEAD) commits"
contributors=$(git shortlog --summary --numbered HEAD)
{
  printf '# Contributors\\n\\nEveryone who committed to this repository, with the number of commits.\\n\\n'
  echo "$contributors" | sed -E 's/^ *([0-9]+)[[:space:]]+(.*)$/- \\2 (\\1)/'
} > CONTRIBUTORS.md
summary="CONTRIBUTORS.md lists everyone who committed: $(grep -c '^- ' CONTRIBUTORS.md)"
echo "$summary"
echo "$summary" > "$BGAGENT_SUMMARY_FILE"
`.trim();
