"""Law 4: two tenants may use the same ids for everything; nothing crosses, nothing is eaten."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.ids import TenantId
from gateway.egress.requests import Content, Submission, Submitted
from tests.support.passage import event, heard_by, open_agents, open_passage
from tests.support.queues import ACME, GLOBEX

TEAMS = {ACME: "T0ACME", GLOBEX: "T0GLOBEX"}
FEW = st.integers(0, 2)
SAID = st.lists(
    st.tuples(st.sampled_from([ACME, GLOBEX]), FEW, FEW, st.integers(0, 1)), max_size=16
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(said=SAID)
async def test_the_same_ids_in_two_workspaces_are_different_things(
    clean_redis: str, said: list[tuple[TenantId, int, int, int]]
) -> None:
    """Each agent gets exactly its own, once, in order; each answer goes to its own workspace."""
    async with open_passage(clean_redis) as passage, open_agents(ACME, GLOBEX) as agents:
        await passage.client.flushall()
        for tenant, team in TEAMS.items():
            await passage.admit(tenant, team, agents[tenant].url)
        expected: dict[TenantId, dict[tuple[str, str], str]] = defaultdict(dict)
        for tenant, channel, ts, user in said:
            heard = event(
                TEAMS[tenant], f"of {tenant}", channel=f"C0{channel}", ts=f"1.{ts}",
                event_id=f"Ev{channel}{ts}", user=f"U0{user}",
            )  # fmt: skip
            await passage.ingress.accept(heard)
            expected[tenant].setdefault((f"C0{channel}", f"1.{ts}"), f"U0{user}")
        await passage.deliver()

        for tenant, agent in agents.items():
            got = [heard_by(delivery) for delivery in agent.deliveries]
            assert expected[tenant] == {
                (each.conversation.channel, each.message_id): each.sender.id for each in got
            }
            assert len(expected[tenant]) == len(got) == len(agent.accepted_ids)
            assert {(tenant, TEAMS[tenant], f"of {tenant}")} >= {
                (each.tenant, each.conversation.workspace, each.text) for each in got
            }


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(answers=SAID)
async def test_the_same_idempotency_keys_of_two_agents_are_different_keys(
    clean_redis: str, answers: list[tuple[TenantId, int, int, int]]
) -> None:
    """No answer is taken for a repetition of somebody else's, none goes to another workspace."""
    async with open_passage(clean_redis) as passage:
        await passage.client.flushall()
        for tenant, team in TEAMS.items():
            await passage.admit(tenant, team, "http://127.0.0.1:1/")
        expected: set[tuple[TenantId, str, str]] = set()
        for tenant, channel, key, _ in answers:
            conversation = f"slack:{TEAMS[tenant]}:C0{channel}"
            result = await passage.submit(
                Submission(
                    tenant=tenant, conversation=conversation,
                    content=Content(markdown=f"of {tenant}"),
                    idempotency_key=f"key-{channel}-{key}",
                )
            )  # fmt: skip
            known = (tenant, conversation, f"key-{channel}-{key}") in expected
            expected.add((tenant, conversation, f"key-{channel}-{key}"))
            assert isinstance(result, Submitted)
            assert known == result.repeated

        posted = await passage.posted()
        assert len(expected) == len(posted)
        assert {(tenant, TEAMS[tenant], f"of {tenant}") for tenant, _, _ in expected} == {
            (tenant, message.conversation.workspace, message.text) for tenant, message in posted
        }
