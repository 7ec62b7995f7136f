"""Real faults. What judges them says what it has found, as if it stood in a test."""

import pytest

pytest.register_assert_rewrite("tests.e2e.faults.speech")
