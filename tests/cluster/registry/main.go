// Command registry is the container registry of the tests, on loopback. It is
// a real registry in memory; what makes it useful is that a repository can be
// told to answer a pull as a registry in trouble would.
//
//	registry --listen ADDRESS [--tls-listen ADDRESS --tls-cert FILE --tls-key FILE]
//
// The last part of a repository's name says what is served, the parts before
// it are free, so every test has names of its own: team-a/testapp and testapp
// are the same images. When the first part is one of these words, or
// `slow-SECONDS`, pulls get that trouble:
//
//	denied        401, a token is granted, and 401 again: private or missing, as public registries say it
//	unauthorized  401, and no token is granted
//	forbidden     403 DENIED
//	ratelimited   429 TOOMANYREQUESTS
//	broken        500
//	unavailable   503
//	slow          the answer to a manifest comes after 20 s
//	reset         the connection is cut
//	foreign       an index that has the image for another processor only
//
// A test can also change the answers while it runs, for one name or all names
// below a prefix; the longest prefix wins over the words above:
//
//	PUT    /faults/PREFIX?mode=WORD     (`ok` for none)
//	DELETE /faults/PREFIX
//	GET    /faults/                     what is set, as JSON
//
// Pushes always work. A missing tag gives 404 MANIFEST_UNKNOWN, a missing
// repository 404 NAME_UNKNOWN. For a registry that is down, use a port on
// which nothing listens.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

const defaultSlowness = 20 * time.Second

// faults maps a repository prefix to the word of its trouble.
type faults struct {
	sync.Mutex
	byPrefix map[string]string
}

// find gives the trouble of a repository: the longest prefix that a test has
// set, else the first part of the name when it is a known word.
func (f *faults) find(repository string) string {
	f.Lock()
	defer f.Unlock()
	for prefix := repository; prefix != ""; {
		if mode, found := f.byPrefix[prefix]; found {
			return mode
		}
		cut := strings.LastIndexByte(prefix, '/')
		if cut < 0 {
			break
		}
		prefix = prefix[:cut]
	}
	first, _, nested := strings.Cut(repository, "/")
	if nested && known(first) {
		return first
	}
	return "ok"
}

func known(mode string) bool {
	switch mode {
	case "ok", "denied", "unauthorized", "forbidden", "ratelimited", "broken", "unavailable", "slow", "reset", "foreign":
		return true
	}
	_, slow := slowness(mode)
	return slow
}

// slowness reads `slow` and `slow-SECONDS`.
func slowness(mode string) (time.Duration, bool) {
	if mode == "slow" {
		return defaultSlowness, true
	}
	text, found := strings.CutPrefix(mode, "slow-")
	seconds, err := strconv.ParseFloat(text, 64)
	if !found || err != nil || seconds < 0 {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// admin serves /faults/.
func (f *faults) admin(w http.ResponseWriter, r *http.Request) {
	prefix := strings.Trim(strings.TrimPrefix(r.URL.Path, "/faults/"), "/")
	mode := r.URL.Query().Get("mode")
	f.Lock()
	defer f.Unlock()
	switch {
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(f.byPrefix); err != nil {
			log.Printf("writing the list of faults: %v", err)
		}
	case prefix == "":
		http.Error(w, "a repository or prefix is needed", http.StatusBadRequest)
	case r.Method == http.MethodPut && known(mode):
		f.byPrefix[prefix] = mode
	case r.Method == http.MethodPut:
		http.Error(w, fmt.Sprintf("unknown mode %q", mode), http.StatusBadRequest)
	case r.Method == http.MethodDelete:
		delete(f.byPrefix, prefix)
	default:
		http.Error(w, "GET, PUT or DELETE", http.StatusMethodNotAllowed)
	}
}

// repository takes the repository's name out of a registry path such as
// /v2/team-a/testapp/manifests/v1 and gives the path with its last part only.
func repository(path string) (name, served string, found bool) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return "", "", false
	}
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/"} {
		cut := strings.LastIndex(rest, kind)
		if cut < 0 {
			continue
		}
		name = rest[:cut]
		last := name[strings.LastIndexByte(name, '/')+1:]
		return name, "/v2/" + last + rest[cut:], true
	}
	return "", "", false
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := map[string]any{"errors": []map[string]string{{"code": code, "message": message}}}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("writing a %d answer: %v", status, err)
	}
}

// challenge asks for a token in the way of the distribution specification.
func challenge(w http.ResponseWriter, r *http.Request, mode, name string) {
	value := fmt.Sprintf(`Bearer realm="http://%s/token/%s",service="tests",scope="repository:%s:pull"`, r.Host, mode, name)
	if r.Header.Get("Authorization") != "" {
		value += `,error="insufficient_scope"`
	}
	w.Header().Set("WWW-Authenticate", value)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}

func token(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token/denied" {
		fmt.Fprintln(w, `{"token":"worthless"}`)
		return
	}
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
}

// foreignIndex is the manifest of an image that was never built for this processor.
func foreignIndex(w http.ResponseWriter) {
	const body = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` +
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":500,` +
		`"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",` +
		`"platform":{"architecture":"s390x","os":"linux"}}]}`
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Docker-Content-Digest", fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body))))
	fmt.Fprint(w, body)
}

// trouble answers a pull as the mode says, and tells whether it did.
func trouble(w http.ResponseWriter, r *http.Request, mode, name string) bool {
	switch mode {
	case "denied", "unauthorized":
		challenge(w, r, mode, name)
	case "forbidden":
		refuse(w, http.StatusForbidden, "DENIED", "requested access to the resource is denied")
	case "ratelimited":
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
	case "broken":
		refuse(w, http.StatusInternalServerError, "UNKNOWN", "unknown error")
	case "unavailable":
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE", "service unavailable")
	case "reset":
		panic(http.ErrAbortHandler)
	case "foreign":
		foreignIndex(w)
	default:
		if delay, slow := slowness(mode); slow && strings.Contains(r.URL.Path, "/manifests/") {
			select {
			case <-time.After(delay):
			case <-r.Context().Done():
			}
		}
		return false
	}
	return true
}

func handler(f *faults, images http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/faults/", f.admin)
	mux.HandleFunc("/token/", token)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		name, served, found := repository(r.URL.Path)
		pull := r.Method == http.MethodGet || r.Method == http.MethodHead
		if found && pull {
			mode := f.find(name)
			log.Printf("%s %s %s", r.Method, r.URL.Path, mode)
			if trouble(w, r, mode, name) {
				return
			}
			r.URL.Path = served
		}
		images.ServeHTTP(w, r)
	})
	return mux
}

func main() {
	listen := flag.String("listen", "127.0.0.1:5000", "address for plain HTTP")
	tlsListen := flag.String("tls-listen", "", "address for HTTPS, with a certificate that nobody trusts")
	tlsCert := flag.String("tls-cert", "", "certificate file for --tls-listen")
	tlsKey := flag.String("tls-key", "", "key file for --tls-listen")
	flag.Parse()
	log.SetOutput(os.Stdout)
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	all := handler(&faults{byPrefix: map[string]string{}}, images)
	if *tlsListen != "" {
		go func() { log.Fatal(http.ListenAndServeTLS(*tlsListen, *tlsCert, *tlsKey, all)) }()
	}
	log.Printf("listening on %s", *listen)
	log.Fatal(http.ListenAndServe(*listen, all))
}
