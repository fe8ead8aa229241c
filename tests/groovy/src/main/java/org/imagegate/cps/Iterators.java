package org.imagegate.cps;

import com.cloudbees.groovy.cps.impl.Caller;
import java.io.Serializable;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.SortedMap;

/**
 * Replaces what Java gives for going through collections by things that survive a restart, in the places
 * where a controller does so, and no others: the rest is what breaks programs there.
 */
public final class Iterators {
    private Iterators() {
    }

    /** Goes through a list by position. */
    private static final class ByPosition<E> implements Iterator<E>, Serializable {
        private static final long serialVersionUID = 1L;

        private final List<E> list;
        private int next;

        ByPosition(List<E> list) {
            this.list = list;
        }

        @Override
        public boolean hasNext() {
            return next < list.size();
        }

        @Override
        public E next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            return list.get(next++);
        }

        @Override
        public void remove() {
            list.remove(--next);
        }
    }

    public static <E> Iterator<E> iterator(List<E> list) {
        return new ByPosition<>(list);
    }

    public static <E> Iterator<E> iterator(Set<E> set) {
        return new ByPosition<>(new ArrayList<>(set));
    }

    public static <E> Iterator<E> iterator(E[] array) {
        return new ByPosition<>(new ArrayList<>(Arrays.asList(array)));
    }

    public static <K, V> Set<Map.Entry<K, V>> entrySet(Map<K, V> map) {
        if (synchronous(map, "entrySet")) {
            return map.entrySet();
        }
        Set<Map.Entry<K, V>> copy = new LinkedHashSet<>();
        map.entrySet().forEach(entry -> copy.add(new AbstractMap.SimpleImmutableEntry<>(entry)));
        return copy;
    }

    public static <K, V> Set<Map.Entry<K, V>> entrySet(SortedMap<K, V> map) {
        return entrySet((Map<K, V>) map);
    }

    public static <K> Set<K> keySet(Map<K, ?> map) {
        return synchronous(map, "keySet") ? map.keySet() : new LinkedHashSet<>(map.keySet());
    }

    public static <K> Set<K> keySet(SortedMap<K, ?> map) {
        return keySet((Map<K, ?>) map);
    }

    public static <V> Collection<V> values(Map<?, V> map) {
        return synchronous(map, "values") ? map.values() : new ArrayList<>(map.values());
    }

    public static <V> Collection<V> values(SortedMap<?, V> map) {
        return values((Map<?, V>) map);
    }

    /** Code that is not CPS-transformed gets what Java has: it may change the map through it. */
    private static boolean synchronous(Object map, String method) {
        return !Caller.isAsynchronous(map, method) && !Caller.isAsynchronous(Iterators.class, method, map);
    }
}
