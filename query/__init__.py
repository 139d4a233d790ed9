"""From sealed evidence to answers: reconstruction, replay, SQL, proofs."""
