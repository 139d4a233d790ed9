// Command verifier checks an audit ledger's checkpoints and proofs with code that shares nothing with the ledger:
// signed notes by Go's own golang.org/x/mod/sumdb/note, Merkle proofs by github.com/transparency-dev/merkle.
//
// It reads a JSON array of cases from standard input and prints one line for each, in order:
//
//	accepted <name>
//	refused <name>: <reason>
//
// It exits with status 0 however the cases fare, and with 2 if the input is no such array.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

// A testCase is one claim. The byte fields are base64 in JSON.
type testCase struct {
	Name        string   `json:"name"`
	Kind        string   `json:"kind"` // checkpoint, inclusion or consistency
	VerifierKey string   `json:"verifier_key"`
	Checkpoint  string   `json:"checkpoint"`     // the signed note
	Old         string   `json:"old_checkpoint"` // consistency: the older signed note
	Index       uint64   `json:"index"`          // inclusion
	LeafHash    []byte   `json:"leaf_hash"`      // inclusion
	Proof       [][]byte `json:"proof"`
}

// A head is what a checkpoint says once its signature is verified.
type head struct {
	size uint64
	root []byte
}

func main() {
	var cases []testCase
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&cases); err != nil {
		fmt.Fprintln(os.Stderr, "cases:", err)
		os.Exit(2)
	}
	for _, each := range cases {
		if err := check(each); err != nil {
			fmt.Printf("refused %s: %s\n", each.Name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Printf("accepted %s\n", each.Name)
		}
	}
}

func check(c testCase) error {
	current, err := openCheckpoint(c.VerifierKey, c.Checkpoint)
	if err != nil {
		return err
	}
	switch c.Kind {
	case "checkpoint":
		return nil
	case "inclusion":
		return proof.VerifyInclusion(rfc6962.DefaultHasher, c.Index, current.size, c.LeafHash, c.Proof, current.root)
	case "consistency":
		old, err := openCheckpoint(c.VerifierKey, c.Old)
		if err != nil {
			return err
		}
		return proof.VerifyConsistency(rfc6962.DefaultHasher, old.size, current.size, c.Proof, old.root, current.root)
	}
	return fmt.Errorf("unknown kind %q", c.Kind)
}

func openCheckpoint(verifierKey, signed string) (head, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return head{}, err
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return head{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return head{}, errors.New("checkpoint has fewer than three lines")
	}
	if lines[0] != verifier.Name() {
		return head{}, errors.New("checkpoint's origin is not the key's name")
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return head{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return head{}, err
	}
	return head{size, root}, nil
}
