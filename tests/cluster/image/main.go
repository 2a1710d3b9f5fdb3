// Command image assembles a container image from one static binary, without
// a container engine, and pushes such images to the loopback registry.
//
//	image --binary PATH --name REF [--name REF...] --out TAR [--entrypoint PATH] [--user UID]
//	image --push TAR
//
// The image has one layer with the binary at the entrypoint, and runs as the
// user (65532). The tar is what `ctr images import` and `docker load` read.
// The same binary gives the same image, byte for byte.
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
	binary, entrypoint, out, user, push string
	names                               []string
}

func parse() options {
	var o options
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

// layer is a tar with the directories above the binary and the binary itself.
func layer(binary, entrypoint string) (v1.Layer, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	inside := strings.TrimPrefix(path.Clean(entrypoint), "/")
	for i, letter := range inside {
		if letter != '/' {
			continue
		}
		directory := &tar.Header{Typeflag: tar.TypeDir, Name: inside[:i+1], Mode: 0o755}
		if err := writer.WriteHeader(directory); err != nil {
			return nil, err
		}
	}
	file := &tar.Header{Typeflag: tar.TypeReg, Name: inside, Mode: 0o755, Size: int64(len(content))}
	if err := writer.WriteHeader(file); err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil
	})
}

func assemble(o options) (v1.Image, error) {
	files, err := layer(o.binary, o.entrypoint)
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
	config.Config.Entrypoint = []string{o.entrypoint}
	config.Config.User = o.user
	config.Config.WorkingDir = "/"
	return mutate.ConfigFile(image, config)
}

func build(o options) error {
	if o.binary == "" || o.out == "" || len(o.names) == 0 {
		return errors.New("--binary, --out and at least one --name are needed")
	}
	image, err := assemble(o)
	if err != nil {
		return fmt.Errorf("assembling the image of %s: %w", o.binary, err)
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
