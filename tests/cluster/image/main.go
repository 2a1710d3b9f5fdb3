// Command image assembles a container image from one static binary, without
// a container engine, and pushes such images to the loopback registry.
//
//	image --binary PATH --name REF [--name REF...] --out TAR [--entrypoint PATH] [--user UID]
//	image --dockerfile FILE --from PATH=FILE [--from ...] --name REF --out TAR
//	image --push TAR
//
// The image has one layer. With --binary it holds the binary at the entrypoint
// and runs as the user (65532). With --dockerfile it is that file's last stage,
// whose COPY instructions take the files that --from names in the place of an
// earlier stage's. The tar is what `ctr images import` and `docker load` read.
// The same files give the same image, byte for byte.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

type options struct {
	binary, dockerfile, entrypoint, out, user, push string
	names                                           []string
	from                                            map[string]string
}

func parse() options {
	o := options{from: map[string]string{}}
	flag.StringVar(&o.dockerfile, "dockerfile", "", "Dockerfile whose last stage is assembled, in the place of --binary")
	flag.Func("from", "PATH=FILE: what the last stage copies from PATH is FILE, may be repeated", func(text string) error {
		path, file, found := strings.Cut(text, "=")
		if !found {
			return errors.New("it needs PATH=FILE")
		}
		o.from[path] = file
		return nil
	})
	flag.StringVar(&o.binary, "binary", "", "static binary to put into the image")
	flag.StringVar(&o.entrypoint, "entrypoint", "", "absolute path of the binary in the image (default /NAME-OF-BINARY)")
	flag.StringVar(&o.out, "out", "", "tar to write")
	flag.StringVar(&o.user, "user", "65532", "user id that the image runs as")
	flag.StringVar(&o.push, "push", "", "tar to push to the registries in its names, over plain HTTP")
	flag.Func("name", "image reference, may be repeated", func(text string) error {
		o.names = append(o.names, text)
		return nil
	})
	flag.Parse()
	if o.entrypoint == "" {
		o.entrypoint = "/" + path.Base(o.binary)
	}
	return o
}

// layer is a tar with the files and the directories above them.
func layer(files []file) (v1.Layer, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	known := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file.outside)
		if err != nil {
			return nil, err
		}
		inside := strings.TrimPrefix(path.Clean(file.inside), "/")
		for i, letter := range inside {
			if letter != '/' || known[inside[:i+1]] {
				continue
			}
			known[inside[:i+1]] = true
			directory := &tar.Header{Typeflag: tar.TypeDir, Name: inside[:i+1], Mode: 0o755}
			if err := writer.WriteHeader(directory); err != nil {
				return nil, err
			}
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: inside, Mode: file.mode, Size: int64(len(content))}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil
	})
}

// described is what the options ask for: the last stage of a Dockerfile, or one binary.
func described(o options) (stage, error) {
	if o.dockerfile != "" {
		return readStage(o.dockerfile, o.from)
	}
	return stage{
		files:  []file{{inside: o.entrypoint, outside: o.binary, mode: 0o755}},
		config: v1.Config{Entrypoint: []string{o.entrypoint}, User: o.user, WorkingDir: "/"},
	}, nil
}

func assemble(o options) (v1.Image, error) {
	described, err := described(o)
	if err != nil {
		return nil, err
	}
	files, err := layer(described.files)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, files)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = described.config
	return mutate.ConfigFile(image, config)
}

func build(o options) error {
	if (o.binary == "") == (o.dockerfile == "") || o.out == "" || len(o.names) == 0 {
		return errors.New("--binary or --dockerfile, --out and at least one --name are needed")
	}
	image, err := assemble(o)
	if err != nil {
		return fmt.Errorf("assembling %s: %w", o.out, err)
	}
	references := map[name.Tag]v1.Image{}
	for _, text := range o.names {
		tag, err := name.NewTag(text, name.Insecure)
		if err != nil {
			return err
		}
		references[tag] = image
	}
	partial := o.out + ".partial"
	if err := tarball.MultiWriteToFile(partial, references); err != nil {
		return fmt.Errorf("writing %s: %w", partial, err)
	}
	return os.Rename(partial, o.out)
}

func push(file string) error {
	opener := func() (io.ReadCloser, error) { return os.Open(file) }
	manifest, err := tarball.LoadManifest(opener)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	for _, entry := range manifest {
		for _, text := range entry.RepoTags {
			tag, err := name.NewTag(text, name.Insecure)
			if err != nil {
				return err
			}
			image, err := tarball.Image(opener, &tag)
			if err != nil {
				return fmt.Errorf("reading %s from %s: %w", tag, file, err)
			}
			if err := remote.Write(tag, image); err != nil {
				return fmt.Errorf("pushing %s: %w", tag, err)
			}
		}
	}
	return nil
}

func main() {
	o := parse()
	var err error
	if o.push != "" {
		err = push(o.push)
	} else {
		err = build(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}
