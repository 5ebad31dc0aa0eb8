# Serves with policy.json, has `addon` signed as by-agent.efi by the key `db`, and ends the agent.
chmod 0600 policy.json log.key
for secret in db.key pin; do if test -e $secret; then chmod 0600 $secret; fi; done
"$TOUCHSTONE" agent serve --policy "$PWD/policy.json" --state state --builds builds --control "$PWD/control" --direct "$PWD/direct" &
agent=$!
for _ in {1..500}; do
  if test -S direct; then break; fi
  sleep 0.02
done
"$TOUCHSTONE" pe sign addon --key "agent:db?socket=$PWD/direct" --certificate db.pem --output by-agent.efi
kill $agent
wait $agent
