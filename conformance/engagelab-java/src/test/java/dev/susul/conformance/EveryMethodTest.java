package dev.susul.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.engagelab.api.PushApi;
import java.io.IOException;
import java.lang.invoke.MethodType;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** That the other tests leave out no method of the SDK: a newer SDK with more of them fails here. */
@Order(Integer.MAX_VALUE)
@ExtendWith(Stage.Resolver.class)
final class EveryMethodTest {
    private final Stage stage;

    EveryMethodTest(Stage stage) {
        this.stage = stage;
    }

    @Test
    void isCalled() throws Exception {
        List<Class<?>> apis = apis();
        assertTrue(apis.size() >= 5, () -> "the SDK has only " + apis);
        Set<String> all = new TreeSet<>();
        for (Class<?> api : apis) {
            Arrays.stream(api.getDeclaredMethods())
                    .filter(method -> Modifier.isPublic(method.getModifiers()) && !method.isSynthetic())
                    .map(method -> Recorder.name(api, method.getName(),
                            MethodType.methodType(method.getReturnType(), method.getParameterTypes())))
                    .forEach(all::add);
        }
        assertEquals(String.join("\n", all), String.join("\n", stage.recorder.methods()));
    }

    /** Finds the classes of the SDK's API in its jar; their builders are nested in them. */
    private static List<Class<?>> apis() throws IOException, URISyntaxException, ClassNotFoundException {
        Path jar = Path.of(PushApi.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        String folder = Recorder.API_PACKAGE.replace('.', '/') + "/";
        List<String> names;
        try (JarFile file = new JarFile(jar.toFile())) {
            names = file.stream().map(ZipEntry::getName)
                    .filter(name -> name.startsWith(folder) && name.endsWith(".class") && !name.contains("$"))
                    .map(name -> name.replace('/', '.').replaceFirst("\\.class$", "")).toList();
        }
        List<Class<?>> classes = new ArrayList<>();
        for (String name : names) {
            classes.add(Class.forName(name));
        }
        return classes;
    }
}
