"""What holds a handler back on Windows: a token that allows less. Wine knows no integrity."""

import unittest

import harness
from harness import SupervisorCase, service
from settings import ON_WINE, TEST_HANDLERS_DIR, executable, system_path


@unittest.skipUnless(ON_WINE, "on other systems there are users for that")
class Sandbox(SupervisorCase):
    def token(self, **keys):
        child = system_path(TEST_HANDLERS_DIR.parent / executable("platform_child"))
        supervisor = self.supervisor({"token": service(f'"{child}" token', handoff="stdio", **keys)})
        with supervisor.connect("token") as client:
            answer = client.rest()
        self.assertEqual(supervisor.record(client)["outcome"], "served")
        self.stop(supervisor)
        return answer

    def test_the_token_is_that_of_the_key(self):
        self.assertIn("administrators=enabled", self.token())
        self.assertIn("administrators=enabled", self.token(sandbox="none"))
        self.assertEqual(self.token(sandbox="low").strip(),
                         "privileges=1 SeChangeNotifyPrivilege=1 administrators=denied")


if __name__ == "__main__":
    harness.main()
