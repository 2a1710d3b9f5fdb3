package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A file of the image: where it lies in it, and where its content comes from.
type file struct {
	inside, outside string
	mode            int64
}

// stage is the last stage of a Dockerfile, as far as a runtime stage from
// scratch goes. What it does not understand is an error, so that the image of
// the tests never differs silently from the one that `docker build` makes.
type stage struct {
	base   string
	files  []file
	config v1.Config
}

// readStage reads the last stage. Files that it copies from an earlier stage
// come from the machine: from where `from` says, else from the same path.
func readStage(dockerfile string, from map[string]string) (stage, error) {
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		return stage{}, err
	}
	var last stage
	for _, line := range instructions(string(text)) {
		word, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(word, "FROM") {
			base, _, _ := strings.Cut(rest, " ")
			last = stage{base: base, config: v1.Config{WorkingDir: "/"}}
			continue
		}
		if last.base != "scratch" {
			continue // An earlier stage, which docker builds.
		}
		if err := last.instruct(strings.ToUpper(word), strings.TrimSpace(rest), from); err != nil {
			return stage{}, fmt.Errorf("%s: %s: %w", dockerfile, line, err)
		}
	}
	if last.base != "scratch" {
		return stage{}, fmt.Errorf("%s: the last stage is from %q, not from scratch", dockerfile, last.base)
	}
	return last, nil
}

// instructions gives the lines without comments, continued ones joined.
func instructions(text string) []string {
	var all []string
	joined := ""
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if part, more := strings.CutSuffix(line, "\\"); more {
			joined += part
			continue
		}
		all = append(all, joined+line)
		joined = ""
	}
	return all
}

func (s *stage) instruct(word, rest string, from map[string]string) error {
	switch word {
	case "USER":
		s.config.User = rest
	case "EXPOSE":
		s.config.ExposedPorts = map[string]struct{}{rest + "/tcp": {}}
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &s.config.Entrypoint)
	case "CMD":
		return json.Unmarshal([]byte(rest), &s.config.Cmd)
	case "LABEL":
		return s.label(rest)
	case "COPY":
		return s.copy(strings.Fields(rest), from)
	default:
		return errors.New("this instruction is not understood here")
	}
	return nil
}

func (s *stage) label(rest string) error {
	s.config.Labels = map[string]string{}
	for rest != "" {
		name, quoted, _ := strings.Cut(rest, "=")
		prefix, err := strconv.QuotedPrefix(quoted)
		if err != nil {
			return err
		}
		if s.config.Labels[name], err = strconv.Unquote(prefix); err != nil {
			return err
		}
		rest = strings.TrimSpace(quoted[len(prefix):])
	}
	return nil
}

func (s *stage) copy(words []string, from map[string]string) error {
	if len(words) != 3 || !strings.HasPrefix(words[0], "--from=") {
		return errors.New("only COPY --from=STAGE FILE FILE is understood here")
	}
	outside, inside := words[1], words[2]
	if named, found := from[outside]; found {
		outside = named
	}
	about, err := os.Stat(outside)
	if err != nil {
		return err
	}
	s.files = append(s.files, file{inside: inside, outside: outside, mode: int64(about.Mode().Perm())})
	return nil
}
