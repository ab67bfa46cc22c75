import unittest

from service import app


class CountTest(unittest.TestCase):
    def test_words_are_counted_whatever_their_case(self):
        answer = app.test_client().post("/count", data="To be or not to be")
        self.assertEqual(answer.get_json(), {"to": 2, "be": 2, "or": 1, "not": 1})


if __name__ == "__main__":
    unittest.main()
