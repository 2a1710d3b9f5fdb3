// Command testapp is the workload of the tests: a small web server whose
// failures are chosen by environment variables. They can be combined.
//
//	APP_PORT                  port to listen on (8080); another one than the probe's is "wrong port"
//	APP_LOG                   lines printed to standard output before anything else
//	APP_LOG_STDERR            lines printed to standard error before anything else
//	APP_EXIT_AT_START         exit at once with this code (0 is a program that finishes)
//	APP_EXIT_AFTER_SECONDS    exit this long after the start, with APP_EXIT_CODE
//	APP_EXIT_AFTER_READY_SECONDS  exit this long after the first successful readiness answer, with APP_EXIT_CODE
//	APP_EXIT_CODE             the code of every later exit (1)
//	APP_ALLOCATE_MIB          allocate and touch this much memory
//	APP_ALLOCATE_AFTER_SECONDS  wait this long before allocating (0)
//	APP_LISTEN_AFTER_SECONDS  open the port only after this long (0)
//	APP_READY_AFTER_SECONDS   slow start: /ready answers 503 for this long (0)
//	APP_READY_STATUS          what /ready answers when it is ready (200); 500 never becomes ready
//	APP_READY_FLAP_SECONDS    /ready is good for this long, then 503 for as long, and so on
//	APP_LIVE_STATUS           what /live answers (200)
//	APP_HANG_AFTER_SECONDS    from then on no path is answered any more, connections stay open
//	APP_DEPENDENCY_URL        fetched at the start and every second; exit with APP_EXIT_CODE when that fails
//	APP_DEPENDENCY_TIMEOUT_SECONDS  how long one fetch may take (2)
//	APP_IGNORE_SIGTERM        stay alive on SIGTERM when set
//
// ways.go has more of them.
//
// Seconds may be fractions. Paths: /ready, /live, and / for everything else.
// SIGTERM ends the program at once with code 0. A value that is not a number
// ends it with code 2, so that a typing error is never taken for a behaviour.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type settings struct {
	port            int
	exitAtStart     int // -1: not asked for
	exitAfter       time.Duration
	exitAfterReady  time.Duration
	exitCode        int
	allocateMiB     int
	allocateAfter   time.Duration
	listenAfter     time.Duration
	readyAfter      time.Duration
	readyStatus     int
	readyFlap       time.Duration
	liveStatus      int
	hangAfter       time.Duration
	dependency      string
	dependencyLimit time.Duration
	ignoreSigterm   bool
}

func number(name string, fallback int) int {
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		exit(2, fmt.Sprintf("%s=%q is not a whole number", name, text))
	}
	return value
}

func seconds(name string, fallback float64) time.Duration {
	value := fallback
	if text := os.Getenv(name); text != "" {
		parsed, err := strconv.ParseFloat(text, 64)
		if err != nil {
			exit(2, fmt.Sprintf("%s=%q is not a number of seconds", name, text))
		}
		value = parsed
	}
	return time.Duration(value * float64(time.Second))
}

func fromEnvironment() settings {
	return settings{
		port:            number("APP_PORT", 8080),
		exitAtStart:     number("APP_EXIT_AT_START", -1),
		exitAfter:       seconds("APP_EXIT_AFTER_SECONDS", 0),
		exitAfterReady:  seconds("APP_EXIT_AFTER_READY_SECONDS", 0),
		exitCode:        number("APP_EXIT_CODE", 1),
		allocateMiB:     number("APP_ALLOCATE_MIB", 0),
		allocateAfter:   seconds("APP_ALLOCATE_AFTER_SECONDS", 0),
		listenAfter:     seconds("APP_LISTEN_AFTER_SECONDS", 0),
		readyAfter:      seconds("APP_READY_AFTER_SECONDS", 0),
		readyStatus:     number("APP_READY_STATUS", http.StatusOK),
		readyFlap:       seconds("APP_READY_FLAP_SECONDS", 0),
		liveStatus:      number("APP_LIVE_STATUS", http.StatusOK),
		hangAfter:       seconds("APP_HANG_AFTER_SECONDS", 0),
		dependency:      os.Getenv("APP_DEPENDENCY_URL"),
		dependencyLimit: seconds("APP_DEPENDENCY_TIMEOUT_SECONDS", 2),
		ignoreSigterm:   os.Getenv("APP_IGNORE_SIGTERM") != "",
	}
}

func exit(code int, why string) {
	fmt.Fprintf(os.Stderr, "testapp: exit %d: %s\n", code, why)
	os.Exit(code)
}

func printLines(file *os.File, lines string) {
	if lines != "" {
		fmt.Fprintln(file, lines)
	}
}

// hold keeps the allocated memory reachable for the life of the program.
var hold [][]byte

func allocate(mib int) {
	for range mib {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		hold = append(hold, block)
	}
	fmt.Printf("testapp: allocated %d MiB\n", mib)
}

// watchDependency dies with the dependency, as many real programs do.
func watchDependency(s settings) {
	client := dependencyClient(s.dependencyLimit)
	for {
		response, err := client.Do(dependencyRequest(s.dependency))
		if err != nil {
			exit(s.exitCode, "dependency is down: "+err.Error())
		}
		if why, is := refused(response); is {
			exit(s.exitCode, "dependency refuses: "+why)
		}
		response.Body.Close()
		if response.StatusCode >= http.StatusInternalServerError {
			exit(s.exitCode, "dependency answers "+response.Status)
		}
		time.Sleep(time.Second)
	}
}

type server struct {
	settings
	start     time.Time
	onceReady sync.Once
}

// readiness is the status that /ready answers after this much running time.
func (s *server) readiness(age time.Duration) int {
	if age < s.readyAfter {
		return http.StatusServiceUnavailable
	}
	if s.readyFlap > 0 && ((age-s.readyAfter)/s.readyFlap)%2 == 1 {
		return http.StatusServiceUnavailable
	}
	return s.readyStatus
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	age := time.Since(s.start)
	if s.hangAfter > 0 && age >= s.hangAfter {
		<-r.Context().Done()
		return
	}
	status := http.StatusOK
	switch r.URL.Path {
	case "/ready":
		status = s.readiness(age)
	case "/live":
		status = s.liveStatus
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s %d after %s\n", r.URL.Path, status, age.Round(time.Millisecond))
	if r.URL.Path == "/ready" && status == http.StatusOK && s.exitAfterReady > 0 {
		s.onceReady.Do(func() { s.exitLater(s.exitAfterReady, "was ready long enough") })
	}
}

func (s *server) exitLater(after time.Duration, why string) {
	time.AfterFunc(after, func() { exit(s.exitCode, why) })
}

func main() {
	start := time.Now()
	command(os.Args[1:])
	printLines(os.Stdout, os.Getenv("APP_LOG"))
	printLines(os.Stderr, os.Getenv("APP_LOG_STDERR"))
	s := &server{settings: fromEnvironment(), start: start}
	if s.exitAtStart >= 0 {
		exit(s.exitAtStart, "asked to exit at the start")
	}
	failAtStart(s.settings)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for range stop {
			if !s.ignoreSigterm {
				os.Exit(0)
			}
		}
	}()
	if s.exitAfter > 0 {
		s.exitLater(s.exitAfter, "ran long enough")
	}
	if s.allocateMiB > 0 {
		time.AfterFunc(s.allocateAfter, func() { allocate(s.allocateMiB) })
	}
	if s.dependency != "" {
		go watchDependency(s.settings)
	}
	time.Sleep(s.listenAfter)
	fmt.Printf("testapp: listening on port %d\n", s.port)
	err := webServer(s.port, s).ListenAndServe()
	exit(s.exitCode, err.Error())
}
