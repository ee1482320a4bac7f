// A small office in one file of Java 17, without dependencies, beside a province adapter with
// office = "pull". 一个示例局端：单文件 Java 17，无任何依赖。
//
//     java Office.java --token-file keys/office.token --files office.journal
//
// It fetches work, opens a file for each case, accepts, asks for a missing photo, declines what is not
// in its register, decides and issues the certificate. Kill it at any moment: every step is a line in
// its journal before it is said, and is said again under the same key until the adapter has it.
// Replace `plan` with your own rules. 把 `plan` 换成自己的业务规则即可。

import java.io.IOException;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

public class Office {
    static final int POLL_SECONDS = 20; // how long one request may wait for work
    static final int CORRECTION_DAYS = 15; // how long the applicant has for a correction
    static final ZoneId SHANGHAI = ZoneId.of("Asia/Shanghai"); // the law counts days there

    /** The adapter said no, for good. */
    static class Refused extends Exception {
        Refused(Map<String, Object> problem) {
            super(problem.get("code") + ": " + problem.getOrDefault("detail", problem.get("title")));
        }
    }

    /** Something that is to be said. */
    static class Step {
        String key, caseId, done;
        Map<String, Object> body;
        long waitMs, dueMs = Long.MAX_VALUE;
    }

    final String url, token;
    final boolean obedient;
    final long paceMs;
    final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).proxy(new ProxySelector() {
        // No proxy of the machine may see personal data.
        public List<Proxy> select(URI uri) { return List.of(Proxy.NO_PROXY); }
        public void connectFailed(URI uri, SocketAddress at, IOException why) {}
    }).connectTimeout(Duration.ofSeconds(5)).build();
    final FileChannel journal;
    final Set<Long> fetched = new HashSet<>();
    final Map<String, Step> steps = new LinkedHashMap<>();
    String province;

    Office(Map<String, String> options) throws IOException {
        url = options.getOrDefault("url", "http://127.0.0.1:7780");
        token = Files.readString(Path.of(options.getOrDefault("token-file", "keys/office.token"))).strip();
        obedient = options.containsKey("obedient");
        paceMs = Long.parseLong(options.getOrDefault("pace-ms", "200"));
        journal = open(Path.of(options.getOrDefault("files", "office.journal")));
    }

    // --- the office's own rules -------------------------------------------------------------------

    /** The answers to this work, in order. 业务规则写在这里。 */
    List<Map<String, Object>> plan(Map<String, Object> work, Map<String, Object> applicant, boolean asked, LocalDate today) {
        String item = (String) work.get("item"), number = (String) work.get("case_number");
        Map<String, Object> holder = object(applicant.get("applicant"));
        String certificate = (String) holder.getOrDefault("certificate_number", "");
        if (work.get("kind").equals("case") && !certificate.startsWith(province)) {
            return List.of(map("kind", "declined", "reason", "data-mismatch", "text", "本省名册中没有此证，请核对证号。"));
        }
        if (item.equals("renewal") && !materials(applicant).contains("photo")) {
            if (asked) {
                return List.of(map("kind", "declined", "reason", "materials-missing", "text", "补正后仍缺照片。"));
            }
            return List.of(map("kind", "correction-requested", "missing", List.of("photo"),
                "until", today.plusDays(CORRECTION_DAYS).toString(), "text", "请补交近期小二寸白底免冠照片。"));
        }
        Map<String, Object> result = switch (item) {
            case "integrity-assessment" -> map("grade", "AA", "next_due", today.plusYears(1).toString());
            case "reissue", "renewal" -> map("valid_until", today.plusYears(6).toString());
            default -> map();
        };
        List<Map<String, Object>> answers = new ArrayList<>();
        answers.add(map("kind", "accepted", "acceptance_number", "受" + number));
        answers.add(map("kind", "completed", "outcome", "approved", "decision_number", "决" + number, "result", result));
        if (List.of("reissue", "renewal", "change").contains(item)) {
            answers.add(map("kind", "certificate-issued", "certificate_id", "E" + number));
        }
        return answers;
    }

    /** All documents that were sent, those of a correction too. */
    static Set<Object> materials(Map<String, Object> applicant) {
        Set<Object> kinds = new HashSet<>();
        list(applicant.get("materials")).forEach(it -> kinds.add(object(it).get("kind")));
        list(applicant.get("corrections")).forEach(correction ->
            list(object(correction).get("materials")).forEach(it -> kinds.add(object(it).get("kind"))));
        return kinds;
    }

    /** What a test case asks for; see schemas/v1/conformance.md. */
    static List<Map<String, Object>> obey(Map<String, Object> work, Map<String, Object> applicant) {
        Map<String, Object> instruction = object(applicant.get("conformance"));
        if (!(instruction.get("v") instanceof Number v) || v.intValue() != 1) return List.of();
        List<Map<String, Object>> answers = new ArrayList<>();
        for (Object it : list(instruction.get("answers"))) {
            Map<String, Object> answer = new LinkedHashMap<>(object(it));
            if (answer.get("kind").equals("accepted")) answer.put("acceptance_number", "受" + work.get("case_number"));
            if (answer.get("kind").equals("completed")) answer.put("decision_number", "决" + work.get("case_number"));
            answers.add(answer);
        }
        return answers;
    }

    // --- the office's loop ------------------------------------------------------------------------

    void work() throws Exception {
        while (true) {
            try {
                if (province == null) meet();
                long waitMs = say();
                // Whole seconds; with something due sooner we look at once and sleep the rest here.
                fetch(waitMs / 1000);
                if (waitMs < 1000) Thread.sleep(waitMs);
            } catch (IOException away) {
                System.out.println("the adapter is away: " + away);
                Thread.sleep(1000);
            }
        }
    }

    /** Whose office is this? A test office serves a sandbox only. */
    void meet() throws Exception {
        Map<String, Object> status = ask("GET", "/v1/status", null, null);
        if (obedient && !((String) status.get("origin")).startsWith("sandbox.")) {
            System.err.println("--obedient serves a sandbox only, and this is " + status.get("origin"));
            System.exit(1);
        }
        province = (String) status.get("province");
        System.out.println("office of " + province + ", " + status.get("work_waiting") + " waiting");
    }

    void fetch(long waitSeconds) throws Exception {
        Map<String, Object> page = ask("GET", "/v1/work?wait=" + waitSeconds + "s", null, null);
        for (Object it : list(page.get("work"))) {
            Map<String, Object> row = object(it);
            long number = ((Number) row.get("number")).longValue();
            if (row.get("kind") == null) {
                System.out.println("work " + number + " cannot be read by this adapter");
                continue;
            }
            if (!fetched.contains(number)) openFile(ask("GET", "/v1/work/" + number, null, null));
            // Only now: should we die before, it is offered again, and the journal knows it.
            ask("POST", "/v1/work/" + number + "/take", null, null);
        }
    }

    /** One line of the journal: the work, and everything that is to be said about it. */
    void openFile(Map<String, Object> work) throws Exception {
        String caseId = (String) work.get("case_id");
        Map<String, Object> applicant = object(work.get("applicant"));
        String now = (String) ask("GET", "/v1/status", null, null).get("now");
        LocalDate today = Instant.parse(now).atZone(SHANGHAI).toLocalDate();
        boolean asked = steps.values().stream()
            .anyMatch(it -> it.caseId.equals(caseId) && it.body.get("kind").equals("correction-requested"));
        List<Map<String, Object>> answers = List.of();
        if (!work.get("kind").equals("withdrawal")) {
            answers = obedient ? obey(work, applicant) : plan(work, applicant, asked, today);
        }
        List<Object> said = new ArrayList<>();
        for (Map<String, Object> answer : answers) {
            Object waitMs = answer.containsKey("after_ms") ? answer.remove("after_ms") : (Object) (obedient ? 0 : paceMs);
            answer.put("request", work.get("request"));
            said.add(map("key", work.get("request") + "-" + said.size(), "wait_ms", waitMs, "body", answer));
        }
        write(map("number", work.get("number"), "case_id", caseId, "at", System.currentTimeMillis(), "steps", said));
        System.out.println(work.get("case_number") + " " + work.get("kind") + ", " + said.size() + " to say");
    }

    /** Says what is due, one a case in its order. How long until the next, in milliseconds. */
    long say() throws Exception {
        long next = POLL_SECONDS * 1000L;
        for (Step step : List.copyOf(steps.values())) {
            long in = step.dueMs - System.currentTimeMillis();
            if (step.done != null || step.dueMs == Long.MAX_VALUE) continue;
            if (in > 0) {
                next = Math.min(next, in);
                continue;
            }
            String done = "said";
            try {
                ask("POST", "/v1/cases/" + step.caseId + "/answers", step.body, step.key);
            } catch (Refused no) {
                // Somebody must look; the other cases go on.
                done = "refused: " + no.getMessage();
                System.out.println("case " + step.caseId + ", " + step.body.get("kind") + ": " + done);
            }
            write(map("key", step.key, "done", done, "at", System.currentTimeMillis()));
            next = 0;
        }
        return next;
    }

    // --- the journal ------------------------------------------------------------------------------

    /** Reads it whole; half a line at the end was never answered for and is cut off. */
    FileChannel open(Path path) throws IOException {
        FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        byte[] bytes = Files.readAllBytes(path);
        int start = 0;
        for (int at = 0; at < bytes.length; at++) {
            if (bytes[at] != '\n') continue;
            apply(object(Json.read(new String(bytes, start, at - start, StandardCharsets.UTF_8))));
            start = at + 1;
        }
        channel.truncate(start).position(start);
        return channel;
    }

    void write(Map<String, Object> line) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap((Json.write(line) + "\n").getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) journal.write(bytes);
        journal.force(true);
        apply(line);
    }

    void apply(Map<String, Object> line) {
        long at = ((Number) line.get("at")).longValue();
        if (line.containsKey("done")) {
            Step step = steps.get((String) line.get("key"));
            step.done = (String) line.get("done");
            // The next one's wait begins when this one was said.
            steps.values().stream().filter(it -> it.done == null && it.caseId.equals(step.caseId)).findFirst()
                .ifPresent(it -> it.dueMs = at + it.waitMs);
            return;
        }
        fetched.add(((Number) line.get("number")).longValue());
        String caseId = (String) line.get("case_id");
        // Newer work replaces what was not yet said.
        steps.values().stream().filter(it -> it.done == null && it.caseId.equals(caseId)).forEach(it -> it.done = "dropped");
        boolean first = true;
        for (Object it : list(line.get("steps"))) {
            Map<String, Object> said = object(it);
            Step step = new Step();
            step.key = (String) said.get("key");
            step.caseId = caseId;
            step.body = object(said.get("body"));
            step.waitMs = ((Number) said.get("wait_ms")).longValue();
            if (first) step.dueMs = at + step.waitMs;
            first = false;
            steps.put(step.key, step);
        }
    }

    // --- the adapter's API, see schemas/v1/office-api.openapi.json --------------------------------

    Map<String, Object> ask(String method, String path, Object body, String key) throws IOException, InterruptedException, Refused {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path))
            .timeout(Duration.ofSeconds(POLL_SECONDS + 40))
            .header("Authorization", "Bearer " + token)
            .method(method, body == null ? HttpRequest.BodyPublishers.noBody()
                : HttpRequest.BodyPublishers.ofString(Json.write(body), StandardCharsets.UTF_8));
        if (body != null) request.header("Content-Type", "application/json");
        if (key != null) request.header("Idempotency-Key", key);
        HttpResponse<String> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
        Map<String, Object> told;
        try {
            told = object(Json.read(answer.body()));
        } catch (RuntimeException unreadable) {
            throw new IOException("the adapter's answer is not JSON", unreadable);
        }
        if (answer.statusCode() < 400) return told;
        if (answer.statusCode() >= 500 || answer.statusCode() == 408) {
            throw new IOException("the adapter cannot now: " + told.get("code"));
        }
        throw new Refused(told);
    }

    // --- values -----------------------------------------------------------------------------------

    static Map<String, Object> map(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int at = 0; at < pairs.length; at += 2) map.put((String) pairs[at], pairs[at + 1]);
        return map;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object it) {
        return it instanceof Map ? (Map<String, Object>) it : new LinkedHashMap<>();
    }

    @SuppressWarnings("unchecked")
    static List<Object> list(Object it) {
        return it instanceof List ? (List<Object>) it : List.of();
    }

    /** JSON, because the JDK has none. */
    static class Json {
        final String text;
        int at;

        Json(String text) { this.text = text; }

        static Object read(String text) {
            Json json = new Json(text);
            Object value = json.value();
            json.blanks();
            if (json.at != text.length()) throw new IllegalArgumentException("more than one value");
            return value;
        }

        char next() { return text.charAt(at++); }

        void blanks() { while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++; }

        Object value() {
            blanks();
            char first = next();
            switch (first) {
                case '{' -> {
                    Map<String, Object> map = new LinkedHashMap<>();
                    blanks();
                    if (text.charAt(at) == '}') { at++; return map; }
                    do {
                        blanks();
                        if (next() != '"') throw new IllegalArgumentException("a name is expected");
                        String name = string();
                        blanks();
                        if (next() != ':') throw new IllegalArgumentException("a colon is expected");
                        map.put(name, value());
                        blanks();
                    } while (next() == ',');
                    return map;
                }
                case '[' -> {
                    List<Object> list = new ArrayList<>();
                    blanks();
                    if (text.charAt(at) == ']') { at++; return list; }
                    do { list.add(value()); blanks(); } while (next() == ',');
                    return list;
                }
                case '"' -> { return string(); }
                default -> {
                    int from = at - 1;
                    while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
                    String word = text.substring(from, at);
                    return switch (word) {
                        case "true" -> true;
                        case "false" -> false;
                        case "null" -> null;
                        default -> word.matches("-?[0-9]{1,18}") ? (Object) Long.parseLong(word) : (Object) Double.parseDouble(word);
                    };
                }
            }
        }

        String string() {
            StringBuilder out = new StringBuilder();
            for (char it = next(); it != '"'; it = next()) {
                if (it != '\\') { out.append(it); continue; }
                char escaped = next();
                switch (escaped) {
                    case 'n' -> out.append('\n');
                    case 't' -> out.append('\t');
                    case 'r' -> out.append('\r');
                    case 'b' -> out.append('\b');
                    case 'f' -> out.append('\f');
                    case 'u' -> { out.append((char) Integer.parseInt(text.substring(at, at + 4), 16)); at += 4; }
                    default -> out.append(escaped);
                }
            }
            return out.toString();
        }

        static String write(Object it) {
            if (it instanceof Map<?, ?> map) {
                List<String> parts = new ArrayList<>();
                map.forEach((name, value) -> parts.add(write(name) + ":" + write(value)));
                return "{" + String.join(",", parts) + "}";
            }
            if (it instanceof List<?> list) return "[" + String.join(",", list.stream().map(Json::write).toList()) + "]";
            if (!(it instanceof String text)) return String.valueOf(it);
            StringBuilder out = new StringBuilder("\"");
            for (char one : text.toCharArray()) {
                if (one == '"' || one == '\\') out.append('\\').append(one);
                else if (one < ' ') out.append(String.format("\\u%04x", (int) one));
                else out.append(one);
            }
            return out.append('"').toString();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new LinkedHashMap<>();
        for (int at = 0; at < arguments.length; at++) {
            String name = arguments[at].replaceFirst("^--", "");
            if (!List.of("url", "token-file", "files", "pace-ms", "obedient").contains(name)) {
                System.err.println("usage: java Office.java [--url U] [--token-file F] [--files F] [--pace-ms N] [--obedient]");
                System.exit(2);
            }
            options.put(name, name.equals("obedient") ? "" : arguments[++at]);
        }
        new Office(options).work();
    }
}
